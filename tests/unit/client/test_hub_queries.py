"""What a client asks the hub, and what it makes of the answers."""

import pytest

import ipyparallel as ipp
from ipyparallel.client.control import ControlMethods
from ipyparallel.client.hub_queries import HubMethods
from ipyparallel.client.jobs import TaskMethods
from ipyparallel.client.purging import PurgeMethods
from ipyparallel.client.targets import resolve
from ipyparallel.error import describe_exception
from ipyparallel.serialize.pickler import serialize


class Client(TaskMethods, ControlMethods, HubMethods, PurgeMethods):
    """Only what asks the hub."""

    block = False

    def __init__(self, messenger):
        self._messenger = messenger

    def _resolve(self, targets):
        return resolve(targets, self._messenger.engines.ids)


class Hub:
    """Answers what it is asked.

    `done` are results, or exceptions, by id; `answers` the contents for other types of requests.
    """

    def __init__(self, wire):
        self._wire = wire
        self.asked = []
        self.done = {}
        self.pending = set()
        self.answers = {}
        self.buffers = ()
        wire.hub = self

    def __call__(self, sent):
        msg_type = sent.message.header.msg_type
        content = sent.message.content()
        self.asked.append((msg_type, content))
        if msg_type == "result_request":
            self._tell(sent, **content)
            return
        answer = self.answers.get(msg_type, {})
        if isinstance(answer, Exception):
            self._wire.reply(sent, describe_exception(answer))
        else:
            self._wire.reply(sent, {"status": "ok", **answer}, buffers=self.buffers)

    def _tell(self, sent, msg_ids, status_only, wait):
        unknown = [i for i in msg_ids if i not in self.done and i not in self.pending]
        if unknown and not wait:
            error = describe_exception(KeyError(f"No such message: {unknown[0]}"))
            self._wire.reply(sent, error)
            return
        completed = [i for i in msg_ids if i in self.done]
        content = {"status": "ok", "completed": completed}
        content["pending"] = [i for i in msg_ids if i in self.pending]
        if wait:
            content["unknown"] = {i: f"no message {i}" for i in unknown}
        buffers = []
        for msg_id in () if status_only else sorted(completed):
            result, own = self.done[msg_id], []
            told = {"status": "ok"}
            if isinstance(result, Exception):
                told = {**describe_exception(result), "engine_info": {"engine_id": 0}}
            else:
                own = serialize(result)
            content[msg_id] = {
                "header": {"msg_id": msg_id, "msg_type": "apply_request"},
                "metadata": {},
                "result_header": {},
                "result_metadata": {"status": told["status"]},
                "result_content": told,
                "received": None,
                "io": {},
                "result_buffers": len(own),
            }
            buffers += own
        self._wire.reply(sent, content, buffers=buffers)


@pytest.fixture
def client(bench):
    return Client(bench.messenger)


@pytest.fixture
def hub(bench):
    return Hub(bench.wire)


@pytest.fixture
def own(bench):
    """A result of this client's own, 1."""
    task = bench.balanced()
    bench.wire.succeed(bench.wire.take()[0], 1)
    return task


# ---- results


def test_one_id_gives_one_result_and_several_a_list(client, hub, own):
    hub.done = {"x": 5, "y": 6}
    single = client.get_result("x")
    assert type(single) is ipp.AsyncHubResult
    assert single.get(0) == 5
    assert client.get_result(["x"]).get(0) == [5]
    assert client.get_result(["y", own.msg_id, "x"]).get(0) == [6, 1, 5]
    assert client.get_result(single).get(0) == [5]
    for mine in (client.get_result(0), client.get_result(), client.get_result(own.msg_id)):
        assert type(mine) is ipp.AsyncResult
        assert mine.get(0) == 1
    assert client.get_result([]).get(0) == []


def test_what_others_have_submitted_is_aborted_only_if_it_is_named(client, bench):
    theirs, mine = client.get_result("x"), bench.balanced()
    for jobs, aborted in ((None, [mine.msg_id]), (theirs, ["x"])):
        bench.wire.take()
        client.abort(jobs)
        asked = [sent.message.content() for sent in bench.wire.take() if sent.channel == "task"]
        assert [content["msg_ids"] for content in asked] == [aborted]


def test_a_client_that_blocks_waits(client, hub):
    hub.pending = {"x"}
    assert not client.get_result("x", block=False).done()
    hub.done = {"y": ValueError("x")}
    client.block = True
    with pytest.raises(ValueError, match="x"):
        client.get_result("y").get(0)


def test_what_is_forgotten_here_is_asked_for(client, hub, bench):
    bench.balanced()
    bench.wire.succeed(bench.wire.take()[0], 1)
    hub.done = {client.history[0]: 2}
    assert client.get_result(0).get(0) == 2


def test_a_hub_result_is_like_any_other(client, hub, bench):
    hub.done = {"x": [1, 2], "y": ZeroDivisionError("z")}
    hub.pending = {"p"}
    result = ipp.AsyncHubResult(client, ["x", "y", "p"])
    assert (len(result), result.progress, result.done()) == (3, 2, False)
    assert result.elapsed == 0
    assert repr(result) == "<AsyncHubResult(get_result): pending>"
    assert client.outstanding == {"p"}
    assert not result.wait(0)
    with pytest.raises(TimeoutError):
        result.get(0)
    done, pending = result.wait(0, return_when=ipp.FIRST_COMPLETED)
    assert (len(done), len(pending)) == (2, 1)
    bench.messenger.fail(bench.messenger.tasks.pending["p"], ipp.EngineError("it died"))
    with pytest.raises(ipp.CompositeError) as caught:
        result.get(0)
    assert [type(e) for e in caught.value.exceptions][1] is ipp.EngineError
    kinds = [type(item) for item in result.get(0, return_exceptions=True)]
    assert kinds[0] is list
    assert issubclass(kinds[1], ZeroDivisionError)
    assert ipp.AsyncHubResult(client, "x").get(0) == [1, 2]
    assert next(iter(result)) == [1, 2]


def test_what_names_no_task_is_refused(client, hub):
    hub.asked.clear()
    for method in (client.get_result, client.result_status, client.resubmit):
        with pytest.raises(TypeError, match="tasks are named by"):
            method(1.5)
        with pytest.raises(IndexError, match="no message 7"):
            method([7])
    with pytest.raises(TypeError, match="tasks are named by"):
        client.purge_hub_results(1.5)
    assert hub.asked == []


# ---- status


def test_the_status_of_tasks(client, hub, own, bench):
    hub.done, hub.pending = {"x": 5}, {"p"}
    waiting = bench.balanced().msg_id
    status = client.result_status([waiting, "x", own.msg_id, "p", "x"])
    assert status == {
        "status": "ok",
        "pending": [waiting, "p"],
        "completed": ["x", own.msg_id],
    }
    (asked,) = hub.asked
    assert asked[0] == "result_request"
    assert asked[1] == {"msg_ids": ["x", "p"], "status_only": True, "wait": False}
    assert client.result_status([]) == {"status": "ok", "pending": [], "completed": []}
    assert client.result_status("x")["completed"] == ["x"]


def test_the_status_with_results(client, hub, own):
    hub.done, hub.pending = {"x": 5}, {"p"}
    status = client.result_status(["x", own.msg_id, "p"], status_only=False)
    assert status["pending"] == ["p"]
    assert (status["x"], status[own.msg_id]) == (5, 1)
    assert "p" not in status


def test_the_status_of_failures_raises_them(client, hub):
    hub.done = {"x": 5, "e": KeyError("k"), "f": ZeroDivisionError("z")}
    assert client.result_status(["x", "e", "f"])["completed"] == ["x", "e", "f"]
    with pytest.raises(KeyError) as caught:
        client.result_status(["x", "e"], status_only=False)
    assert isinstance(caught.value, ipp.RemoteError)
    with pytest.raises(ipp.CompositeError, match="result_status") as caught:
        client.result_status(["x", "e", "f"], status_only=False)
    assert len(caught.value.exceptions) == 2


def test_the_status_of_what_nobody_knows(client, hub):
    with pytest.raises(KeyError, match="No such message: nobody") as caught:
        client.result_status("nobody")
    assert isinstance(caught.value, ipp.RemoteError)
    assert str(caught.value).startswith("[hub:result] KeyError")


# ---- once more


def test_tasks_are_run_again(client, hub, own):
    hub.answers["resubmit_request"] = {"resubmitted": {"x": "x2", own.msg_id: "o2"}}
    hub.done = {"x2": "again x", "o2": "again o"}
    result = client.resubmit(["x", 0, "x"], block=True)
    assert type(result) is ipp.AsyncHubResult
    assert hub.asked[0] == ("resubmit_request", {"msg_ids": ["x", own.msg_id, "x"]})
    assert result.get(0) == ["again x", "again o", "again x"]
    assert result.msg_ids == ["x2", "o2", "x2"]
    assert client.resubmit().get(0) == ["again o"]
    assert repr(result) == "<AsyncHubResult(resubmit): finished>"


def test_what_cannot_be_run_again_says_why(client, hub):
    hub.answers["resubmit_request"] = KeyError("No such msg(s): ['x']")
    with pytest.raises(KeyError, match="No such msg") as caught:
        client.resubmit("x")
    assert isinstance(caught.value, ipp.RemoteError)


# ---- records


def test_the_history_of_all(client, hub):
    hub.answers["history_request"] = {"history": ["b", "a"]}
    assert client.hub_history() == ["b", "a"]
    assert hub.asked == [("history_request", {})]


def test_records(client, hub):
    hub.answers["db_request"] = {
        "records": [{"msg_id": "a", "submitted": None}],
        "buffer_lens": None,
        "result_buffer_lens": [2],
    }
    hub.buffers = [b"one", bytes(100_000)]
    (record,) = client.db_query({"msg_id": {"$in": {"a"}}}, keys=["result_buffers"])
    assert hub.asked[0][1] == {"query": {"msg_id": {"$in": ["a"]}}, "keys": ["result_buffers"]}
    assert record["result_buffers"] == hub.buffers


def test_bad_queries_are_not_asked(client, hub):
    with pytest.raises(TypeError, match="a query is a dict"):
        client.db_query("x")
    with pytest.raises(TypeError, match="keys are names"):
        client.db_query({}, keys=5)
    assert hub.asked == []
    hub.answers["db_request"] = ValueError("there is no operator $like")
    with pytest.raises(ValueError, match="no operator") as caught:
        client.db_query({"label": {"$like": 1}})
    assert str(caught.value).startswith("[hub:db] ValueError")


def test_the_load(client, hub):
    one = {"queue": 1, "completed": 2, "tasks": 3}
    hub.answers["queue_request"] = {"0": one, "unassigned": 4}
    assert client.queue_status() == {0: one, "unassigned": 4}
    assert client.queue_status(0) == one
    assert client.queue_status([0], verbose=True)[0] == one
    assert [content for _, content in hub.asked] == [
        {"targets": None, "verbose": False},
        {"targets": [0], "verbose": False},
        {"targets": [0], "verbose": True},
    ]


# ---- forgetting


def test_forgetting_here_and_there(client, hub, own, bench):
    client.purge_results(0)
    assert hub.asked == [("purge_request", {"msg_ids": [own.msg_id], "engine_ids": []})]
    assert bench.messenger.tasks.find(own.msg_id) is None
    assert own.msg_id not in client.results
    hub.done = {own.msg_id: "the hub's"}
    assert client.get_result(0).get(0) == "the hub's"


def test_forgetting_the_results_of_engines(client, hub, bench):
    tasks = [bench.direct(engine_id) for engine_id in (0, 1)]
    for task, sent in zip(tasks, bench.wire.take(), strict=True):
        bench.wire.reply(sent, buffers=serialize(1), engine=f"u{task.engine_id}")
    client.purge_local_results(targets=1)
    assert tasks[0].msg_id in client.results
    assert tasks[1].msg_id not in client.results
    assert hub.asked == []
    client.purge_results(targets="all")
    assert hub.asked == [("purge_request", {"msg_ids": [], "engine_ids": [0, 1]})]
    assert dict(client.results) == {}
    with pytest.raises(IndexError, match="No such engine: 7"):
        client.purge_results(targets=7)


def test_output_that_is_to_come_is_still_recorded(client, bench):
    task = bench.balanced()
    bench.wire.reply(bench.wire.take()[0], buffers=serialize(1), engine="u0", output_count=1)
    client.purge_local_results("all")
    assert bench.messenger.tasks.find(task.msg_id) is task


def test_forgetting_everything(client, hub, own):
    client.purge_everything()
    assert hub.asked == [("purge_request", {"msg_ids": "all", "engine_ids": []})]
    assert list(client.history) == []
    assert dict(client.results) == {}


@pytest.mark.parametrize("nothing", [{}, {"jobs": []}, {"jobs": None, "targets": None}], ids=str)
def test_naming_nothing(client, hub, nothing):
    for method in (client.purge_results, client.purge_local_results, client.purge_hub_results):
        with pytest.raises(ValueError, match="name the results to purge"):
            method(**nothing)
    assert hub.asked == []


def test_what_is_outstanding_is_not_forgotten(client, hub, own, bench):
    direct, balanced = bench.direct(1), bench.balanced()
    for outstanding in (
        {"jobs": "all"},
        {"jobs": [own.msg_id, balanced.msg_id]},
        {"targets": 1},
        {"jobs": direct},
    ):
        with pytest.raises(RuntimeError, match="still to come"):
            client.purge_results(**outstanding)
    with pytest.raises(RuntimeError, match="still to come"):
        client.purge_everything()
    assert len(client.history) == 3
    assert hub.asked == []
    assert own.msg_id in client.results
    client.purge_results(own, targets=0)
    hub.answers["purge_request"] = IndexError("msg pending: 'x'")
    with pytest.raises(IndexError, match="msg pending") as caught:
        client.purge_hub_results("x")
    assert isinstance(caught.value, ipp.RemoteError)


def test_a_controller_that_cannot_tell_results_runs_nothing_again(client, hub, bench):
    bench.messenger._compact = False
    with pytest.raises(NotImplementedError, match="published"):
        client.resubmit("x")
    assert hub.asked == []
