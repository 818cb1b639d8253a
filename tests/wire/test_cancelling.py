"""Cancelling on the task channel, and engines that say what they wait for: good words and bad."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import zmq

import ipyparallel as ipp
from ipyparallel.protocol.session import Message, new_id
from ipyparallel.transport.sockets import HUB
from tests.support.processes import wait_until
from tests.support.raw import CONTENT, UNREADABLE, FakeEngine, Frames, reply_to, resign
from tests.wire.conftest import Bench, Watch

unreadable = pytest.mark.parametrize("frame", UNREADABLE.values(), ids=list(UNREADABLE))


@pytest.fixture
def task(bench: Bench) -> Iterator[zmq.Socket[bytes]]:
    with bench.raw.connect(bench.raw.client.task) as socket:
        yield socket


@pytest.fixture
def on_fake(bench: Bench, fake: FakeEngine) -> tuple[ipp.AsyncResult, Message]:
    """A task that the fake engine holds, and what it got."""
    result = bench.client.load_balanced_view([fake.id]).apply_async(pow, 2, 3)
    return result, bench.raw.read(fake.task)


def ask(bench: Bench, task: zmq.Socket[bytes], msg_ids: Any) -> Frames:
    request = bench.raw.session.message("cancel_request", {"msg_ids": msg_ids})
    task.send_multipart(request)
    return request


def answer_to(bench: Bench, task: zmq.Socket[bytes], request: Frames) -> dict[str, Any]:
    """What the scheduler answers."""
    reply = bench.raw.read(task)
    assert reply.header.msg_type == "cancel_reply"
    assert reply.parent_frame == request[2]
    content: dict[str, Any] = reply.content()
    return content


def end(fake: FakeEngine, request: Message) -> None:
    fake.task.send_multipart([*request.idents, *reply_to(fake, request)])


def tell(bench: Bench, fake: FakeEngine, content: Any) -> None:
    """Have the fake engine answer to a cancel_request."""
    message = bench.raw.session.message("cancel_reply", content)
    fake.control.send_multipart([HUB, *message])


# ---- cancel_request


def test_tasks_that_nobody_knows_are_said_to_be_finished(
    bench: Bench, watch: Watch, task: zmq.Socket[bytes]
) -> None:
    ids = ["nobody", "", "x_1", "x" * 1000, "nobody"]
    request = ask(bench, task, ids)
    expected = {"status": "ok", "outcomes": dict.fromkeys(ids, "finished")}
    assert answer_to(bench, task, request) == expected
    request = ask(bench, task, [])
    assert answer_to(bench, task, request) == {"status": "ok", "outcomes": {}}
    watch.check()


@unreadable
def test_unreadable_cancel_request(
    bench: Bench, watch: Watch, task: zmq.Socket[bytes], frame: bytes
) -> None:
    good = bench.raw.session.message("cancel_request", {}, metadata={"n": new_id()})
    request = resign(bench.raw.session, good, CONTENT, frame)
    task.send_multipart(request)
    content = answer_to(bench, task, request)
    assert (content["status"], content["ename"]) == ("error", "ValueError")
    assert "content of cancel_request is malformed" in content["evalue"]
    watch.check("WARNING", "Refused a cancel_request", "malformed")


@pytest.mark.parametrize("msg_ids", [5, "x", None, [5], [["x"]], {"x": 1}], ids=str)
def test_cancel_request_with_wrong_ids(
    bench: Bench, watch: Watch, task: zmq.Socket[bytes], msg_ids: Any
) -> None:
    request = ask(bench, task, msg_ids)
    assert "msg_ids" in answer_to(bench, task, request)["evalue"]
    watch.check("WARNING", "Refused a cancel_request", "msg_ids")


def test_a_task_that_waits_ends_at_once_and_says_so(
    bench: Bench, task: zmq.Socket[bytes], fake: FakeEngine, on_fake: Any
) -> None:
    _, running = on_fake
    message = bench.raw.session.message
    waiting = message("apply_request", {}, metadata={"targets": [fake.uuid]})
    task.send_multipart(waiting)
    msg_id = bench.raw.session.parse(waiting, fresh=False).header.msg_id
    request = ask(bench, task, [msg_id, "nobody"])
    aborted = bench.raw.read(task)
    assert aborted.header.msg_type == "apply_reply"
    assert aborted.parent_frame == waiting[2]
    assert aborted.content() == {"status": "aborted"}
    assert aborted.metadata()["status"] == "aborted"
    outcomes = answer_to(bench, task, request)["outcomes"]
    assert outcomes == {msg_id: "waiting", "nobody": "finished"}
    end(fake, running)
    bench.check_work()


def test_the_engine_of_a_task_is_asked_and_what_it_says_is_told(
    bench: Bench, task: zmq.Socket[bytes], fake: FakeEngine, on_fake: Any
) -> None:
    result, running = on_fake
    (msg_id,) = result.msg_ids
    request = ask(bench, task, [msg_id])
    asked = bench.raw.read(fake.control)
    assert asked.header.msg_type == "cancel_request"
    assert asked.content() == {"msg_ids": [msg_id], "silently": True, "interrupt": True}
    assert not task.poll(0), "answered before the engine has"
    tell(bench, fake, {"outcomes": {msg_id: "running", "another": "queued"}})
    assert answer_to(bench, task, request)["outcomes"] == {msg_id: "running"}
    end(fake, running)
    with pytest.raises(ipp.RemoteError, match="from afar"):
        result.get(20)
    bench.check_work()


def test_a_task_that_its_engine_drops_is_aborted(
    bench: Bench, task: zmq.Socket[bytes], fake: FakeEngine, on_fake: Any
) -> None:
    result, _ = on_fake
    request = ask(bench, task, result.msg_ids)
    bench.raw.read(fake.control)
    tell(bench, fake, {"outcomes": {result.msg_ids[0]: "queued"}})
    assert answer_to(bench, task, request)["outcomes"] == {result.msg_ids[0]: "queued"}
    with pytest.raises(ipp.TaskAborted):
        result.get(20)
    # the engine is free again
    again = bench.client.load_balanced_view([fake.id]).apply_async(pow, 2, 3)
    end(fake, bench.raw.read(fake.task))
    with pytest.raises(ipp.RemoteError, match="from afar"):
        again.get(20)


def test_when_the_engine_dies_before_it_answers_who_asked_is_told(
    bench: Bench, task: zmq.Socket[bytes], fake: FakeEngine, on_fake: Any
) -> None:
    result, _ = on_fake
    request = ask(bench, task, result.msg_ids)
    bench.raw.read(fake.control)
    fake.query.send_multipart(
        bench.raw.session.message("unregistration_request", {"uuid": fake.uuid})
    )
    assert answer_to(bench, task, request)["outcomes"] == {result.msg_ids[0]: "running"}
    with pytest.raises(ipp.EngineError):
        result.get(20)


# ---- what engines answer


@pytest.mark.parametrize("outcome", ["nonsense", 5, None, ["queued"]], ids=str)
def test_an_outcome_that_makes_no_sense_is_dropped_and_a_good_one_counts(
    bench: Bench, task: zmq.Socket[bytes], fake: FakeEngine, on_fake: Any, outcome: Any
) -> None:
    result, running = on_fake
    (msg_id,) = result.msg_ids
    request = ask(bench, task, [msg_id])
    bench.raw.read(fake.control)
    watch = Watch(bench)
    tell(bench, fake, {"outcomes": {msg_id: outcome}})
    watch.wait_for_line()
    tell(bench, fake, {"outcomes": {msg_id: "running"}})
    assert answer_to(bench, task, request)["outcomes"] == {msg_id: "running"}
    end(fake, running)
    (line,) = watch.lines
    assert "Dropped a message on the control channel" in line
    assert "cancel_reply" in line


def test_outcomes_of_tasks_of_others_or_that_nobody_asked_for_change_nothing(
    bench: Bench, fake: FakeEngine, on_fake: Any
) -> None:
    result, running = on_fake
    (msg_id,) = result.msg_ids
    other = FakeEngine(bench.raw)
    wait_until(lambda: other.id in bench.client.ids, "the client to see the engine")
    watch = Watch(bench)
    for outcome in ("queued", "running", "finished"):
        tell(bench, other, {"outcomes": {msg_id: outcome, "nobody": outcome}})
        tell(bench, other, {})
        tell(bench, fake, {"outcomes": {"nobody": outcome}})
    # this one goes the same way, and makes a line in the log when the others have arrived
    for engine in (other, fake):
        before = len(watch.lines)
        tell(bench, engine, {"outcomes": 5})
        wait_until(lambda before=before: len(watch.lines) > before, "a line in the log")
    assert bench.client.queue_status(fake.id)["tasks"] == 1
    assert not result.done()
    end(fake, running)
    with pytest.raises(ipp.RemoteError, match="from afar"):
        result.get(20)
    assert len(watch.lines) == 2
    other.close()
    wait_until(lambda: other.id not in bench.client.ids, "the client to see the engine go")


# ---- engine_waiting


def say_waiting(bench: Bench, engine: FakeEngine, content: Any) -> None:
    engine.task.send_multipart(bench.raw.session.message("engine_waiting", content))


def test_an_engine_whose_task_waits_gets_another(
    bench: Bench, fake: FakeEngine, on_fake: Any
) -> None:
    first, running = on_fake
    second = bench.client.load_balanced_view([fake.id]).apply_async(pow, 2, 3)
    assert not fake.task.poll(100)
    say_waiting(bench, fake, {"msg_id": first.msg_ids[0], "waiting": True})
    other = bench.raw.read(fake.task)
    assert other.header.msg_id == second.msg_ids[0]
    end(fake, other)
    say_waiting(bench, fake, {"msg_id": first.msg_ids[0], "waiting": False})
    end(fake, running)
    for result in (first, second):
        with pytest.raises(ipp.RemoteError, match="from afar"):
            result.get(20)


_BAD = {
    **UNREADABLE,
    "nothing in it": b"{}",
    "no word": b'{"msg_id": "x"}',
    "id is a number": b'{"msg_id": 5, "waiting": true}',
    "word is a text": b'{"msg_id": "x", "waiting": "yes"}',
}


@pytest.mark.parametrize("frame", _BAD.values(), ids=list(_BAD))
def test_malformed_engine_waiting_is_dropped(
    bench: Bench, watch: Watch, fake: FakeEngine, frame: bytes
) -> None:
    before = len(watch.lines)
    good = bench.raw.session.message("engine_waiting", {}, metadata={"n": new_id()})
    fake.task.send_multipart(resign(bench.raw.session, good, CONTENT, frame))
    wait_until(lambda: len(watch.lines) > before, "a line in the log")
    bench.check_work()
    (line,) = watch.lines[before:]
    assert "Dropped a message of an engine on the task channel" in line
    assert "engine_waiting" in line


@pytest.mark.parametrize("waiting", [True, False])
def test_engine_waiting_for_what_it_does_not_hold_changes_nothing(
    bench: Bench, fake: FakeEngine, on_fake: Any, waiting: bool
) -> None:
    first, running = on_fake
    second = bench.client.load_balanced_view([fake.id]).apply_async(pow, 2, 3)
    watch = Watch(bench)
    with bench.raw.connect(bench.raw.engine.task, new_id().encode()) as stranger:
        # an engine that nobody knows; and one that is known, of a task of another
        for socket, msg_id in ((stranger, first.msg_ids[0]), (fake.task, second.msg_ids[0])):
            content = {"msg_id": msg_id, "waiting": waiting}
            socket.send_multipart(bench.raw.session.message("engine_waiting", content))
        say_waiting(bench, fake, {"msg_id": "nobody", "waiting": waiting})
        assert not fake.task.poll(100)
    end(fake, running)
    end(fake, bench.raw.read(fake.task))
    for result in (first, second):
        with pytest.raises(ipp.RemoteError, match="from afar"):
            result.get(20)
    assert watch.lines == []
    bench.check_work()
