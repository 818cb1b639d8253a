"""Records of tasks, from what the journal tells and engines publish."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

import pytest

from ipyparallel.controller.databases.dictdb import DictDB
from ipyparallel.controller.databases.nodb import NoDB
from ipyparallel.controller.databases.record import NoData
from ipyparallel.controller.journal import NoJournal
from ipyparallel.controller.lazy_records import RequestRecord
from ipyparallel.controller.records import Records
from ipyparallel.protocol.session import Session

from .task_messages import output_of, reply_to, request

LOG = logging.getLogger("test")


def on_loop(test: Callable[[Records], Awaitable[None]], database=None, **limits: int) -> None:
    async def run() -> None:
        database_ = DictDB() if database is None else database
        limits_ = {"payload_limit": 1000, "output_limit": 20, **limits}
        await test(Records(database_, LOG, **limits_))

    asyncio.run(run())


def submit(records: Records, queue: str = "task", engine: str = "") -> tuple[str, object]:
    message, frames = request(b"f")
    records.journal.submitted(queue, message, frames, engine)
    return message.header.msg_id, message


def test_a_task_is_pending_until_it_has_ended():
    async def test(records):
        msg_id, message = submit(records)
        records.read()
        assert records.pending == {msg_id: ""}
        records.journal.sent(msg_id, "engine")
        records.read()
        assert records.pending == {msg_id: "engine"}
        assert records.database.get_record(msg_id)["engine_uuid"] == "engine"
        records.journal.ended(msg_id, "engine", reply_to(message, b"r"), delivered=True)
        records.read()
        assert records.pending == {}
        record = records.database.get_record(msg_id)
        assert record["result_buffers"] == [b"r"]
        assert record["completed"] is not None
        assert records.completed_on("engine") == [msg_id]
        assert records.completed_on("other") == []

    on_loop(test)


def test_the_journal_is_read_without_being_asked():
    async def test(records):
        submit(records)
        async with asyncio.timeout(10):
            while not records.pending:
                await asyncio.sleep(0)

    on_loop(test)


def test_what_was_not_delivered_is_kept_for_longer():
    async def test(records):
        ids = []
        for delivered in (True, False, True, True):
            msg_id, message = submit(records)
            ids.append(msg_id)
            records.journal.ended(msg_id, "engine", reply_to(message), delivered)
            records.read()
        assert records.database.get_history() == [ids[1], ids[3]]
        records.fetched([ids[1]])
        assert len(records.database.get_history()) == 1

    on_loop(test, DictDB(record_limit=1, cull_fraction=0.0))


def test_direct_tasks_end_with_their_engine():
    async def test(records):
        msg_id, _ = submit(records, "mux", "engine")
        other, _ = submit(records, "mux", "other")
        records.journal.engine_died([msg_id, "no task"], "engine", 3, "killed by SIGKILL")
        records.read()
        assert list(records.pending) == [other]
        content = records.database.get_record(msg_id)["result_content"]
        assert content["ename"] == "EngineError"
        assert content["evalue"] == (
            f"Engine 3 died while running task {msg_id!r}: killed by SIGKILL"
        )
        assert records.database.get_history() == [msg_id, other]

    on_loop(test)


def test_balanced_tasks_that_may_have_been_on_an_engine_end_with_it():
    async def test(records):
        balanced, _ = submit(records)
        direct, _ = submit(records, "mux", "engine")
        records.journal.maybe_died(3, "killed")
        records.read()
        assert list(records.pending) == [direct]
        content = records.database.get_record(balanced)["result_content"]
        assert f"task {balanced} may have been on engine 3" in content["evalue"]

    on_loop(test)


def test_who_waits_is_told_as_tasks_end():
    async def test(records):
        tasks = dict(submit(records) for _ in range(3))
        one, two, three = tasks
        told = []
        records.read()
        records.when_ended([one, two], lambda ended: told.append(ended) is None)
        records.when_ended([two, three], lambda ended: told.append(ended) is None)
        for msg_ids, number in (([three], 1), ([one, two], 3)):
            for msg_id in msg_ids:
                frames = reply_to(tasks[msg_id])
                records.journal.ended(msg_id, "engine", frames, delivered=True)
            records.read()
            async with asyncio.timeout(10):
                while len(told) < number:
                    await asyncio.sleep(0)
        assert told == [[three], [one, two], [two]]

    on_loop(test)


def test_output_is_added_to_the_record():
    async def test(records):
        msg_id, message = submit(records)
        records.output(output_of(message, "stream", name="stdout", text="one\n"))
        records.read()
        assert records.database.get_record(msg_id)["stdout"] == "one\n"
        records.output(output_of(message, "stream", name="stdout", text="two\n"))
        records.output(output_of(message, "stream", name="stderr", text="err"))
        records.output(output_of(message, "execute_input", code="1", execution_count=1))
        records.output(output_of(message, "execute_result", data={"text/plain": "1"}))
        records.journal.ended(msg_id, "engine", reply_to(message), delivered=True)
        records.output(output_of(message, "error", ename="E", evalue="v", traceback=[]))
        records.read()
        record = records.database.get_record(msg_id)
        assert record["stdout"] == "one\ntwo\n"
        assert record["stderr"] == "err"
        assert record["execute_input"] == "1"
        assert record["execute_result"] == {"data": {"text/plain": "1"}}
        assert record["error"]["ename"] == "E"

    on_loop(test, output_limit=1000)


def test_output_is_bounded():
    async def test(records):
        msg_id, message = submit(records)
        for _ in range(5):
            records.output(output_of(message, "stream", name="stdout", text="0123456789"))
            records.read()
        records.output(output_of(message, "execute_result", data={"text/plain": "x" * 100}))
        records.read()
        record = records.database.get_record(msg_id)
        cut = "\n[the output is longer than 20 characters: cut here]"
        assert record["stdout"] == "01234567890123456789" + cut
        assert record["execute_result"] is None

    on_loop(test)


def test_output_of_what_is_no_task_is_dropped():
    async def test(records):
        message, _ = request(b"f")
        records.output(output_of(message, "stream", name="stdout", text="one\n"))
        msg_id, task = submit(records)
        records.output(output_of(task, "stream", name="elsewhere", text="malformed"))
        records.output(output_of(task, "stream", text="malformed"))
        records.read()
        assert records.database.get_history() == [msg_id]
        assert records.database.get_record(msg_id)["stdout"] == ""

    on_loop(test)


def test_the_result_of_a_task_of_an_earlier_controller_is_kept():
    async def test(records):
        message, _ = request(b"f")
        msg_id = message.header.msg_id
        records.journal.ended(msg_id, "engine", reply_to(message, b"r"), delivered=False)
        records.read()
        assert records.database.get_record(msg_id)["result_buffers"] == [b"r"]

    on_loop(test)


def test_a_result_that_is_there_stays():
    async def test(records):
        good, good_task = submit(records)
        bad, bad_task = submit(records)
        statuses = ((good, good_task, "ok", "error"), (bad, bad_task, "error", "ok"))
        for msg_id, message, *both in statuses:
            for status in both:
                frames = reply_to(message, status=status)
                records.journal.ended(msg_id, "engine", frames, delivered=False)
                records.read()
            assert records.database.get_record(msg_id)["result_content"]["status"] == "ok"

    on_loop(test)


def test_tasks_that_nobody_claims_end_if_they_have_not():
    async def test(records):
        pending, message = submit(records)
        ended, other = submit(records)
        records.journal.ended(ended, "engine", reply_to(other), delivered=True)
        records.read()
        for msg_id, task in ((pending, message), (ended, other), ("unknown", other)):
            records.journal.forsaken(msg_id, "engine", reply_to(task, status="error"))
        records.read()
        assert records.pending == {}
        statuses = [
            records.database.get_record(msg_id)["result_content"]["status"]
            for msg_id in records.database.get_history()
        ]
        assert statuses == ["error", "ok"]

    on_loop(test)


def test_who_has_gone_while_it_waited_is_forgotten():
    async def test(records):
        msg_id, message = submit(records)
        records.read()
        told = []

        def present(msg_ids):
            told.append(msg_ids)
            return True

        records.when_ended([msg_id], present)
        for _ in range(10_000):
            records.when_ended([msg_id], lambda msg_ids: False)
        assert len(records._waiters[msg_id]) < 500
        assert not any(told)
        del told[:]
        records.journal.ended(msg_id, "engine", reply_to(message), delivered=True)
        async with asyncio.timeout(10):
            while not told:
                await asyncio.sleep(0)
        assert told == [[msg_id]]
        assert records._waiters == {}

    on_loop(test)


def test_tasks_that_an_earlier_controller_left_have_failed():
    async def test(records):
        message, _ = request(b"f")
        msg_id = message.header.msg_id
        records.database.add_record(msg_id, {"msg_id": msg_id, "engine_uuid": "engine"})
        records.abandon_pending()
        record = records.database.get_record(msg_id)
        assert record["completed"] is not None
        assert record["result_content"]["ename"] == "ControllerLost"
        assert record["result_content"]["evalue"] == (
            f"task {msg_id} has no result: the controller was stopped before the task had ended"
        )

    on_loop(test)


def test_tasks_of_another_controller_are_left_alone():
    async def test(records):
        message, frames = request(b"f")
        msg_id = message.header.msg_id
        records.database.add_record(msg_id, RequestRecord("task", msg_id, frames))
        records.database.is_alone = False
        records.abandon_pending()
        assert records.database.get_record(msg_id)["completed"] is None
        assert records.restore([], Session(b"key")).balanced == []
        records.database.is_alone = True
        assert len(records.restore([], Session(b"key")).balanced) == 1

    on_loop(test)


class Broken(DictDB):
    """Fails now and then."""

    def add_record(self, msg_id, rec):
        if self.broken:
            raise RuntimeError("the disk is full")
        super().add_record(msg_id, rec)


def test_a_database_that_fails_is_told_and_stops_nothing(caplog):
    database = Broken()

    async def test(records):
        database.broken = True
        lost, message = submit(records)
        records.read()
        database.broken = False
        kept, _ = submit(records)
        records.journal.ended(lost, "engine", reply_to(message), delivered=True)
        records.read()
        assert list(records.pending) == [kept]
        assert kept in database.get_history()

    on_loop(test, database)
    assert "The database of tasks failed" in caplog.text
    assert "the disk is full" in caplog.text


def test_without_a_database_there_is_nothing():
    async def test(records):
        assert isinstance(records.journal, NoJournal)
        assert not records.keeps_any
        submit(records)
        records.read()
        records.abandon_pending()
        records.fetched(["a"])
        assert records.pending == {}
        assert records.completed_on("engine") == []
        with pytest.raises(NoData):
            records.database.get_record("a")
        records.close()

    on_loop(test, NoDB())


def test_tasks_of_an_earlier_run_go_on_or_are_lost():
    async def test(records):
        database = records.database
        held, frames = request(b"f")
        lost, lost_frames = request(b"f")
        balanced, balanced_frames = request(b"f")
        for queue, engine, message, its_frames in (
            ("mux", "engine", held, frames),
            ("mux", "engine", lost, lost_frames),
            ("task", "", balanced, balanced_frames),
        ):
            msg_id = message.header.msg_id
            database.add_record(msg_id, RequestRecord(queue, msg_id, its_frames, engine))
        now, _ = submit(records)
        found = records.restore([held.header.msg_id], Session(b"key"))
        assert [task.msg_id for task in found.direct] == [held.header.msg_id]
        assert len(found.balanced) == 1
        assert set(records.pending) == {held.header.msg_id, balanced.header.msg_id, now}
        assert list(records.lost) == [lost.header.msg_id]
        record = database.get_record(lost.header.msg_id)
        assert record["result_content"]["ename"] == "ControllerLost"
        # its client is still there, and submits it again
        records.journal.submitted("mux", lost, lost_frames, "engine")
        records.read()
        assert records.lost == {}
        assert lost.header.msg_id in records.pending
        assert database.get_record(lost.header.msg_id)["completed"] is None

    on_loop(test)
