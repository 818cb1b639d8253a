"""Results that the hub tells."""

import threading
from datetime import UTC, datetime, timedelta

import pytest

import ipyparallel as ipp
from ipyparallel.client.messaging import fetching
from ipyparallel.client.messaging.execute_reply import ExecuteReply
from ipyparallel.client.results import AsyncResult
from ipyparallel.error import describe_exception
from ipyparallel.serialize.exceptions import attach_exception
from ipyparallel.serialize.pickler import serialize

SUBMITTED = datetime(2026, 1, 1, tzinfo=UTC)


def date(seconds):
    return (SUBMITTED + timedelta(seconds=seconds)).isoformat()


def record(msg_id, content=None, *, kind="apply", n_buffers=0, io=None, engine="u1", **metadata):
    """What the hub says of a task that has ended."""
    content = content or {"status": "ok"}
    return {
        "header": {"msg_id": msg_id, "msg_type": f"{kind}_request", "date": date(0)},
        "metadata": {"label": "mine", "after": ["before"], "follow": []},
        "result_header": {"msg_id": "r", "msg_type": f"{kind}_reply", "date": date(2)},
        "result_metadata": {
            "status": content["status"],
            "engine": engine,
            "started": date(1),
            "output_count": 7,
            **metadata,
        },
        "result_content": content,
        "received": date(3),
        "io": {"execute_input": None, "execute_result": None, "error": None, **(io or {})},
        "result_buffers": n_buffers,
    }


class Hub:
    """Answers requests for results, by hand."""

    def __init__(self, bench):
        self.bench = bench

    def take(self):
        """The one request that was sent."""
        (self.request,) = self.bench.wire.take()
        assert self.request.channel == "query"
        assert self.request.message.header.msg_type == "result_request"
        content = self.request.message.content()
        assert content["wait"] is True
        return content["msg_ids"]

    def answer(self, *records, pending=(), unknown=(), results=None):
        """Tell of tasks; `results` by id."""
        results = {msg_id: serialize(result) for msg_id, result in (results or {}).items()}
        told = {i: record(i, n_buffers=len(frames)) for i, frames in results.items()}
        told |= {told["header"]["msg_id"]: told for told in records}
        content = {
            "status": "ok",
            "pending": list(pending),
            "completed": list(told),
            "unknown": dict(unknown),
            **told,
        }
        buffers = [frame for i in sorted(results) for frame in results[i]]
        self.bench.wire.reply(self.request, content, buffers=buffers)


@pytest.fixture
def hub(bench):
    return Hub(bench)


def test_a_result_is_told(bench, hub):
    (task,) = bench.messenger.fetching.tasks(["other_1"])
    assert hub.take() == ["other_1"]
    assert not task.done()
    assert bench.messenger.tasks.pending == {"other_1": task}
    assert task.metadata.msg_id == "other_1"
    assert task.metadata.submitted is None
    assert AsyncResult(None, task).elapsed == 0
    hub.answer(results={"other_1": {"a": 5}})
    assert task.result(0) == {"a": 5}
    assert bench.messenger.tasks.pending == {}
    assert bench.messenger._dispatcher.listeners == {}
    assert task.output.done()


def test_what_else_is_known_is_told_too(bench, hub):
    (task,) = bench.messenger.fetching.tasks(["other_1"])
    before = task.metadata
    hub.take()
    io = {"stdout": "done\rout\n", "stderr": "err", "execute_input": "1+1"}
    hub.answer(record("other_1", kind="execute", io={**io, "execute_result": {"data": {}}}))
    metadata = task.metadata
    assert metadata is before
    assert metadata.submitted == SUBMITTED
    assert metadata.started == SUBMITTED + timedelta(seconds=1)
    assert metadata.completed == SUBMITTED + timedelta(seconds=2)
    assert metadata.received == SUBMITTED + timedelta(seconds=3)
    assert (metadata.engine_uuid, metadata.engine_id, metadata.status) == ("u1", 1, "ok")
    assert (metadata.label, metadata.after, metadata.follow) == ("mine", ["before"], [])
    assert (metadata.stdout, metadata.stderr) == ("out\n", "err")
    assert (metadata.execute_input, metadata.execute_result) == ("1+1", {"data": {}})
    result = AsyncResult(None, task)
    assert isinstance(result.get(0), ExecuteReply)
    assert result.wall_time == 3
    assert result.serial_time == 1


def test_a_failure_is_the_error_that_it_was(bench, hub):
    tasks = bench.messenger.fetching.tasks(["e_1", "e_2", "e_3", "e_4"])
    hub.take()
    info = {"engine_id": 9, "method": "apply"}
    error = attach_exception(describe_exception(FileNotFoundError(2, "no")), FileNotFoundError(2))
    hub.answer(
        record("e_1", {**error, "engine_info": info}, engine="gone", engine_info=info),
        record("e_2", {"status": "aborted"}),
        record("e_3", describe_exception(ipp.EngineError("engine 3 died"))),
        record("e_4", describe_exception(ZeroDivisionError("x")), io={"error": error}),
    )
    with pytest.raises(FileNotFoundError) as caught:
        tasks[0].result(0)
    assert isinstance(caught.value, ipp.RemoteError)
    assert tasks[0].metadata.error is caught.value
    assert tasks[0].metadata.engine_id == 9
    with pytest.raises(ipp.TaskAborted, match="e_2"):
        tasks[1].result(0)
    with pytest.raises(ipp.EngineError, match="engine 3 died") as caught:
        tasks[2].result(0)
    assert not isinstance(caught.value, ipp.RemoteError)
    with pytest.raises(ZeroDivisionError):
        tasks[3].result(0)
    assert all(task.done() for task in tasks)


def test_a_result_that_cannot_be_read_fails_alone(bench, hub):
    tasks = bench.messenger.fetching.tasks(["a", "b"])
    hub.take()
    content = {"status": "ok", "pending": [], "completed": ["b", "a"]}
    content |= {msg_id: record(msg_id, n_buffers=1) for msg_id in "ab"}
    bench.wire.reply(hub.request, content, buffers=[b"nonsense", *serialize(3)])
    assert tasks[0].exception(0) is not None
    assert tasks[1].result(0) == 3


def test_several_answers_come_to_one_request(bench, hub):
    tasks = bench.messenger.fetching.tasks(["t_1", "t_10", "t_2"])
    assert hub.take() == ["t_1", "t_10", "t_2"]
    hub.answer(results={"t_2": bytes(3000), "t_10": 10}, pending=["t_1"])
    assert [task.done() for task in tasks] == [False, True, True]
    assert tasks[1].result() == 10
    assert tasks[2].result() == bytes(3000)
    assert len(bench.messenger._dispatcher.listeners) == 1
    hub.answer(results={"t_1": 1})
    assert tasks[0].result(0) == 1
    assert bench.messenger._dispatcher.listeners == {}
    hub.answer(results={"t_1": 1})  # nobody minds


def test_what_the_hub_does_not_know_fails(bench, hub):
    first, second, third = bench.messenger.fetching.tasks(["x", "y", "z"])
    hub.take()
    hub.answer(unknown={"x": "dropped: too many records"}, pending=["y", "z"])
    with pytest.raises(KeyError, match="dropped: too many records") as caught:
        first.result(0)
    assert isinstance(caught.value, ipp.RemoteError)
    assert str(caught.value).startswith("[hub:get_result] KeyError")
    hub.answer(results={"y": 1})  # and not a word of the last one
    assert second.result(0) == 1
    with pytest.raises(KeyError, match="says nothing of a message 'z'"):
        third.result(0)


def test_what_the_hub_did_not_know_it_may_know_later(bench, hub):
    (first,) = bench.messenger.fetching.tasks(["x"])
    hub.take()
    hub.answer(unknown={"x": "never heard of it"})
    (second,) = bench.messenger.fetching.tasks(["x"])
    assert hub.take() == ["x"]
    hub.answer(results={"x": 1})
    assert second.result(0) == 1
    assert isinstance(first.exception(0), KeyError)
    assert bench.messenger.fetching.tasks(["x"]) == [second]


def test_another_may_take_care_of_what_is_not_known(bench, hub):
    tasks = [bench.balanced(), bench.balanced()]
    bench.wire.take()
    told = []

    def on_unknown(task, why):
        told.append((task, why))
        if task is tasks[1]:
            raise OSError("cannot send it")

    bench.messenger.fetching.fetch(tasks, on_unknown)
    assert hub.take() == [task.msg_id for task in tasks]
    hub.answer(unknown={task.msg_id: "never heard of it" for task in tasks})
    assert told == [(task, "never heard of it") for task in tasks]
    assert not tasks[0].done()
    with pytest.raises(OSError, match="cannot send it"):
        tasks[1].result(0)


def test_a_task_of_our_own_keeps_what_it_has_shown(bench, hub):
    """It was submitted here, and its reply was lost."""
    task = bench.balanced()
    (sent,) = bench.wire.take()
    session = bench.wire._session

    def write(text):
        stream = {"name": "stdout", "text": text}
        frames = session.message("stream", stream, parent=sent.message.header_frame)
        bench.messenger._dispatcher.on_output([b"engine.0.stdout", *frames])

    write("one\ntwo\n")
    bench.messenger.fetching.fetch([task])
    hub.take()
    frames = serialize(7)
    io = {"stdout": "one\n", "stderr": "more"}
    told = record(task.msg_id, n_buffers=len(frames), io=io)
    told["metadata"]["label"] = "another"
    content = {"status": "ok", "completed": [task.msg_id], task.msg_id: told}
    bench.wire.reply(hub.request, content, buffers=frames)
    assert task.result(0) == 7
    write("late, and told\n")
    assert task.metadata.stdout == "one\ntwo\n"
    assert task.metadata.stderr == "more"
    assert task.metadata.label is None
    assert task.output.done()


def test_a_reply_and_the_hub_may_both_tell(bench, hub):
    task = bench.balanced()
    (sent,) = bench.wire.take()
    bench.messenger.fetching.fetch([task])
    hub.take()
    bench.wire.succeed(sent, 1)
    hub.answer(results={task.msg_id: 2})
    assert task.result(0) == 1


def test_many_are_asked_for_in_parts(bench, monkeypatch):
    monkeypatch.setattr(fetching, "MOST", 4)
    tasks = bench.messenger.fetching.tasks([f"m_{i}" for i in range(10)])
    sent = bench.wire.take()
    assert [len(s.message.content()["msg_ids"]) for s in sent] == [4, 4, 2]
    for request in sent:
        bench.wire.reply(request, {"status": "ok", "unknown": {}})
    assert all(isinstance(task.exception(0), KeyError) for task in tasks)


def test_what_is_known_is_not_asked_for(bench, hub):
    own, lone = bench.balanced(), bench.balanced()
    first, second = bench.wire.take()
    bench.wire.succeed(first, 1)
    fetched = bench.messenger.fetching.tasks(["x", own.msg_id, "x", lone.msg_id])
    assert hub.take() == ["x"]
    assert fetched == [fetched[0], own, fetched[0], lone]
    assert bench.messenger.fetching.tasks(["x", own.msg_id]) == [fetched[0], own]
    assert bench.wire.take() == []
    hub.answer(results={"x": 5})
    assert bench.messenger.fetching.tasks(["x"])[0].result() == 5
    del fetched
    bench.messenger.fetching.tasks(["x"])  # nobody has kept it
    assert hub.take() == ["x"]
    assert second.channel == "task"


def test_there_is_one_future_a_task_whoever_asks(bench):
    found, start = [], threading.Barrier(8)

    def ask():
        start.wait()
        found.append(bench.messenger.fetching.tasks([f"m_{i}" for i in range(50)]))

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(tasks == found[0] for tasks in found)


@pytest.mark.parametrize(
    "content",
    [
        ["x"],
        "x",
        {"status": "ok", "completed": ["x"]},
        {"status": "ok", "completed": ["x"], "x": {"header": {}}},
        {"status": "ok", "completed": ["x"], "x": record("x", n_buffers=1)},
        {"status": "ok", "completed": "x"},
        {"status": "ok", "completed": ["x"], "x": {**record("x"), "received": "yesterday"}},
        {"status": "ok", "completed": ["x"], "x": {**record("x"), "metadata": {"after": 5}}},
        {"status": "ok", "completed": ["x"], "x": {**record("x"), "result_metadata": {"label": 5}}},
    ],
    ids=str,
)
def test_an_answer_that_makes_no_sense_ends_the_task(bench, hub, content):
    (task,) = bench.messenger.fetching.tasks(["x"])
    hub.take()
    bench.wire.reply(hub.request, content)
    assert isinstance(task.exception(0), ValueError)
    assert bench.messenger._dispatcher.listeners == {}


def test_the_hubs_error_is_that_of_all(bench, hub):
    tasks = bench.messenger.fetching.tasks(["x", "y"])
    hub.take()
    bench.wire.reply(hub.request, describe_exception(KeyError("no database")))
    for task in tasks:
        with pytest.raises(KeyError, match="no database"):
            task.result(0)


def test_a_controller_that_is_lost_ends_them(bench, hub):
    (task,) = bench.messenger.fetching.tasks(["x"])
    bench.messenger._dispatcher.on_lost("it burned down")
    with pytest.raises(ipp.ControllerLost, match="it burned down"):
        task.result(0)
    with pytest.raises(ipp.ControllerLost, match="it burned down"):
        bench.messenger.fetching.tasks(["y"])
    assert bench.messenger._dispatcher.listeners == {}


def test_what_could_not_be_asked_for_is_not_waited_for(bench):
    bench.wire.close()
    with pytest.raises(OSError, match="closed"):
        bench.messenger.fetching.tasks(["x"])
    assert bench.messenger.tasks.pending == {}
    assert bench.messenger._dispatcher.listeners == {}


def test_the_published_controller_is_not_asked(bench):
    """It would answer once, and what is pending then would wait for ever."""
    own = bench.balanced()
    bench.messenger._compact = False
    assert bench.messenger.fetching.tasks([own.msg_id]) == [own]
    with pytest.raises(NotImplementedError, match="published"):
        bench.messenger.fetching.tasks([own.msg_id, "x"])


def test_another_clients_task_is_cancelled_wherever_it_is(bench, hub):
    (task,) = bench.messenger.fetching.tasks(["x"])
    hub.take()
    cancelling = bench.messenger.cancel(["x"])
    asked = {(sent.channel, sent.uuid): sent for sent in bench.wire.take()}
    assert asked.keys() == {("task", ""), ("control", "u0"), ("control", "u1")}
    for (channel, uuid), sent in asked.items():
        where = "running" if uuid == "u1" else "queued" if channel == "control" else "finished"
        bench.wire.reply(sent, {"status": "ok", "outcomes": {"x": where}})
    assert cancelling.result.result(0).running == ("x",)
    with pytest.raises(ipp.TaskCancelled, match="while it ran"):
        task.result(0)
    hub.answer(record("x", {"status": "aborted"}))
    assert task.cancelled()


def test_a_task_that_is_being_cancelled_may_be_told_of_first(bench, hub):
    (task,) = bench.messenger.fetching.tasks(["x"])
    hub.take()
    bench.messenger.cancel(["x"])
    asked = bench.wire.take()
    hub.answer(record("x", {"status": "aborted"}))
    assert not task.done()
    for sent in asked:
        bench.wire.reply(sent, {"status": "ok", "outcomes": {"x": "finished"}})
    assert task.cancelled()


def test_a_record_that_cannot_be_read_at_all_fails_alone(bench, hub, monkeypatch):
    describe = fetching._describe

    def stumble(task, outcome, limit):
        if task.msg_id == "x":
            raise KeyError("what is this")
        describe(task, outcome, limit)

    monkeypatch.setattr(fetching, "_describe", stumble)
    odd, good = bench.messenger.fetching.tasks(["x", "y"])
    hub.take()
    hub.answer(results={"x": 1, "y": 2})
    with pytest.raises(ValueError, match="malformed: 'what is this'"):
        odd.result(0)
    assert good.result(0) == 2
