"""Who is asked to cancel what, and what becomes of the tasks when they answer, or do not."""

import asyncio
import concurrent.futures
import threading

import pytest

from ipyparallel.client.messaging import cancel_requests as module
from ipyparallel.client.messaging.cancelling import cancel
from ipyparallel.client.results import AsyncResult
from ipyparallel.error import EngineError, RemoteError, TaskAborted, TaskCancelled


def asked(bench):
    """Who was asked for which tasks."""
    return [
        (sent.channel, sent.uuid, sent.message.header.msg_type, sent.message.content()["msg_ids"])
        for sent in bench.wire.sent
    ]


def answer(bench, outcome, sent=None):
    """Have a request be answered with this outcome for all tasks."""
    sent = sent or bench.wire.take()[0]
    ids = sent.message.content()["msg_ids"]
    bench.wire.reply(sent, {"status": "ok", "outcomes": dict.fromkeys(ids, outcome)})


class Answering(threading.Thread):
    """Answers requests as they are sent, as the I/O thread would see it."""

    def __init__(self, bench, outcome):
        super().__init__(daemon=True)
        self._bench, self._outcome = bench, outcome
        self.start()

    def run(self):
        self._bench.wire.has_sent.wait()
        answer(self._bench, self._outcome)


def begin(bench, *tasks, error=TaskCancelled, engines=None):
    bench.wire.take()
    return bench.messenger.cancel([task.msg_id for task in tasks], error, engines)


# ---- whom


def test_the_scheduler_and_the_engines_are_asked_once_each(bench):
    balanced = [bench.balanced() for _ in range(3)]
    direct = [bench.direct(0), bench.direct(1), bench.direct(0)]
    begin(bench, *balanced, *direct)
    assert sorted(asked(bench)) == [
        ("control", "u0", "cancel_request", [direct[0].msg_id, direct[2].msg_id]),
        ("control", "u1", "cancel_request", [direct[1].msg_id]),
        ("task", "", "cancel_request", [task.msg_id for task in balanced]),
    ]


@pytest.mark.parametrize("reason", ["pure", "published"])
def test_without_a_scheduler_of_ours_all_engines_are_asked(bench, reason):
    if reason == "pure":
        bench.with_scheme("pure")
    else:
        bench.messenger._compact = False
    task = bench.balanced()
    begin(bench, task)
    assert {(channel, uuid) for channel, uuid, *_ in asked(bench)} == {
        ("control", "u0"),
        ("control", "u1"),
    }
    first, second = bench.wire.take()
    answer(bench, "running", first)
    assert not task.done()
    answer(bench, "queued", second)  # it does not know the task, and will not run it
    assert task.cancelled()
    assert task.cancelled_where == "running"


@pytest.mark.parametrize(
    ("said", "where"),
    [
        (("queued", "queued"), "queued"),
        (("finished", "queued"), "finished"),
        (("queued", "running"), "running"),
    ],
)
def test_of_several_answers_the_best_counts(bench, said, where):
    bench.with_scheme("pure")
    task = bench.balanced()
    (sent,) = bench.wire.take()
    cancelling = begin(bench, task)
    for outcome, request in zip(said, bench.wire.take(), strict=True):
        answer(bench, outcome, request)
    assert getattr(cancelling.result.result(0), where) == (task.msg_id,)
    bench.wire.succeed(sent, 1)
    assert task.cancelled() == (where != "finished")


def test_only_engines_that_are_named_are_asked(bench):
    tasks = [bench.direct(0), bench.direct(1)]
    cancelling = begin(bench, *tasks, engines=["u1"])
    assert asked(bench) == [("control", "u1", "cancel_request", [tasks[1].msg_id])]
    answer(bench, "queued")
    assert cancelling.result.result(0).queued == (tasks[1].msg_id,)
    assert not tasks[0].done()


def test_of_balanced_tasks_only_those_on_the_engines_that_are_named_are_cancelled(bench):
    there, elsewhere = bench.balanced(), bench.balanced()
    cancelling = begin(bench, there, elsewhere, engines=["u1"])
    (request,) = bench.wire.take()
    assert request.message.content() == {"targets": [1], "verbose": True}
    load = {"queue": [], "completed": [], "tasks": [there.msg_id, "other"]}
    bench.wire.reply(request, {"status": "ok", "1": load, "unassigned": [elsewhere.msg_id]})
    assert asked(bench) == [("task", "", "cancel_request", [there.msg_id])]
    answer(bench, "running")
    assert cancelling.result.result(0).running == (there.msg_id,)
    assert not elsewhere.done()


def test_an_engine_alone_does_not_know_what_waits_for_others(bench):
    bench.with_scheme("pure")
    there, elsewhere = bench.balanced(), bench.balanced()
    cancelling = begin(bench, there, elsewhere, engines=["u1"])
    (request,) = bench.wire.take()
    outcomes = {there.msg_id: "running", elsewhere.msg_id: "queued"}
    bench.wire.reply(request, {"status": "ok", "outcomes": outcomes})
    done = cancelling.result.result(0)
    assert (done.running, done.unconfirmed) == ((there.msg_id,), (elsewhere.msg_id,))
    assert not elsewhere.done()


def test_another_clients_task_is_asked_for_everywhere(bench):
    cancelling = bench.messenger.cancel(["other_1"])
    assert len(asked(bench)) == 3
    for sent in bench.wire.take():
        answer(bench, "queued" if sent.uuid else "finished", sent)
    assert cancelling.result.result(0).queued == ("other_1",)


def test_nobody_is_asked_for_what_has_ended(bench):
    task = bench.balanced()
    bench.wire.succeed(bench.wire.take()[0], 1)
    msg_ids = [task.msg_id, bench.messenger.session.id_prefix + "99"]
    cancelling = bench.messenger.cancel(msg_ids)
    assert bench.wire.sent == []
    assert cancelling.result.result(0).finished == tuple(msg_ids)


def test_what_is_no_task_is_left_alone(bench):
    request = bench.messenger.request("query", "queue_request", {})
    cancelling = begin(bench, request)
    assert bench.wire.sent == []
    assert repr(cancelling.result.result(0)) == "<Cancellation: no tasks>"
    assert not request.cancel()
    assert not request.done()


# ---- answers


@pytest.mark.parametrize(
    ("where", "text"),
    [
        ("waiting", "was cancelled before it began"),
        ("queued", "was cancelled before it began"),
        ("running", "was cancelled while it ran on engine 1"),
    ],
)
def test_a_task_ends_when_it_is_known_where_it_was(bench, where, text):
    task = bench.direct(1)
    (sent,) = bench.wire.take()
    cancelling = begin(bench, task)
    assert not task.done()
    answer(bench, where)
    assert task.cancelled()
    assert task.metadata["status"] == "aborted"
    assert task.output_done
    assert getattr(cancelling.result.result(0), where) == (task.msg_id,)
    for raises in (task.result, task.exception):
        with pytest.raises(TaskCancelled, match=text) as info:
            raises()
        assert isinstance(info.value, concurrent.futures.CancelledError)
    bench.wire.succeed(sent, 1)  # too late
    assert task.cancelled()
    assert bench.messenger.tasks.pending == {}


def test_an_aborted_task_fails(bench):
    task = bench.balanced()
    begin(bench, task, error=TaskAborted)
    answer(bench, "running")
    assert not task.cancelled()
    assert type(task.exception(0)) is TaskAborted
    assert "was aborted while it ran" in str(task.exception(0))


def test_a_task_that_has_ended_keeps_its_result(bench):
    task = bench.balanced()
    (sent,) = bench.wire.take()
    cancelling = begin(bench, task)
    answer(bench, "finished")
    assert cancelling.result.result(0).finished == (task.msg_id,)
    assert not task.done()
    bench.wire.succeed(sent, 7)
    assert task.result(0) == 7


def test_a_result_that_comes_before_the_answer_counts(bench):
    task = bench.balanced()
    (sent,) = bench.wire.take()
    cancelling = begin(bench, task)
    bench.wire.succeed(sent, 7)
    assert task.result(0) == 7
    answer(bench, "running")
    assert task.result(0) == 7
    assert cancelling.result.result(0).finished == (task.msg_id,)


@pytest.mark.parametrize("reply", ["abort", "fail"])
def test_a_failure_that_comes_before_the_answer_waits_for_it(bench, reply):
    """The interrupt of a running task is such a failure, and takes another way than the answer."""
    task = bench.direct()
    (sent,) = bench.wire.take()
    cancelling = begin(bench, task)
    if reply == "abort":
        bench.wire.abort(sent)
    else:
        bench.wire.fail(sent, KeyboardInterrupt())
    assert not task.done()
    answer(bench, "running")
    assert task.cancelled()
    assert cancelling.result.result(0).running == (task.msg_id,)


def test_a_failure_of_its_own_stays_one(bench):
    task = bench.direct()
    (sent,) = bench.wire.take()
    begin(bench, task)
    bench.wire.fail(sent, ValueError("its own"))
    answer(bench, "finished")
    assert not task.cancelled()
    assert isinstance(task.exception(0), ValueError)


def test_a_task_that_is_aborted_after_all_is_cancelled(bench):
    task = bench.direct()
    (sent,) = bench.wire.take()
    begin(bench, task)
    answer(bench, "finished")
    bench.wire.abort(sent)
    assert task.cancelled()


@pytest.mark.parametrize("elapsed", [{}, {"elapsed": 0.5}])
def test_an_aborted_reply_tells_whether_the_task_ran(bench, elapsed):
    """The scheduler may have had it before the engine said where the task was."""
    task = bench.balanced()
    (sent,) = bench.wire.take()
    cancelling = begin(bench, task)
    bench.wire.reply(sent, {"status": "aborted"}, **{"status": "aborted", **elapsed})
    answer(bench, "finished")
    where = "running" if elapsed else "queued"
    assert getattr(cancelling.result.result(0), where) == (task.msg_id,)
    assert task.cancelled_where == where


# ---- those that do not know how


def test_a_peer_that_cannot_cancel_is_asked_not_to_begin(bench):
    task, other = bench.direct(), bench.direct()
    sent, sent_other = bench.wire.take()
    cancelling = begin(bench, task, other)
    bench.wire.fail(bench.wire.take()[0], ValueError("unknown"))
    assert asked(bench) == [("control", "u0", "abort_request", [task.msg_id, other.msg_id])]
    bench.wire.abort(sent)
    assert not task.done()
    bench.wire.reply(bench.wire.take()[0])
    assert task.cancelled()
    done = cancelling.result.result(0)
    assert (done.queued, done.unconfirmed) == ((task.msg_id,), (other.msg_id,))
    bench.wire.abort(sent_other)
    assert other.cancelled()


def test_a_scheduler_that_cannot_cancel_leaves_it_to_the_engines(bench):
    task = bench.balanced()
    (sent,) = bench.wire.take()
    cancelling = begin(bench, task)
    bench.wire.fail(bench.wire.take()[0], ValueError("unknown"))
    assert [(uuid, kind) for _, uuid, kind, _ in asked(bench)] == [
        ("u0", "abort_request"),
        ("u1", "abort_request"),
    ]
    for request in bench.wire.take():
        bench.wire.reply(request)
    assert repr(cancelling.result.result(0)) == "<Cancellation: 1 asked not to begin>"
    bench.wire.succeed(sent, 1)
    assert task.result(0) == 1


def test_published_engines_are_asked_in_their_way(bench):
    bench.messenger.engines.add(2, "u2", False)
    (task,) = bench.messenger.submit_direct("execute_request", b"{}", (), [2], bench.view)
    begin(bench, task)
    assert asked(bench) == [("control", "u2", "abort_request", [task.msg_id])]


# ---- those that do not answer


def test_an_engine_that_dies_leaves_nothing_open(bench):
    task = bench.direct()
    cancelling = begin(bench, task)
    bench.messenger._dispatcher.engine_left(
        type("Notice", (), {"uuid": "u0", "id": 0, "reason": "killed"})
    )
    assert isinstance(task.exception(0), EngineError)
    assert cancelling.result.result(0).finished == (task.msg_id,)


@pytest.mark.parametrize("failed", [False, True])
def test_a_client_that_is_closed_leaves_nothing_open(bench, failed):
    task = bench.direct()
    (sent,) = bench.wire.take()
    cancelling = begin(bench, task)
    if failed:
        bench.wire.fail(sent, ValueError("its own"))
    bench.messenger.close()
    assert isinstance(task.exception(0), ValueError if failed else OSError)
    assert not cancelling.result.result(0)
    assert not task.cancel()


def test_nobody_waits_for_ever(bench, monkeypatch):
    monkeypatch.setattr(module, "PATIENCE", 0.01)
    balanced, direct = bench.balanced(), bench.direct()
    done = cancel([balanced, direct])
    assert balanced.cancelled()
    assert direct.cancelled()
    assert (done.waiting, done.queued) == ((balanced.msg_id,), (direct.msg_id,))
    assert bench.messenger.tasks.pending == {}


# ---- waiting, and not


def test_cancelling_waits_for_the_answer(bench):
    task = bench.balanced()
    bench.wire.take()
    Answering(bench, "waiting")
    done = task.cancel()
    assert done == True  # noqa: E712
    assert done.waiting == (task.msg_id,)
    assert task.cancel().waiting == (task.msg_id,)  # as before


def test_in_the_io_thread_nobody_waits(bench):
    task = bench.direct()
    bench.wire.take()
    bench.wire.in_io_thread = True
    assert task.cancel().queued == (task.msg_id,)
    assert task.cancelled()
    assert [kind for *_, kind, _ in asked(bench)] == ["cancel_request"]


def test_in_a_callback_of_an_event_loop_nobody_waits(bench):
    ar = AsyncResult(None, bench.balanced(), "f")

    async def main():
        future = asyncio.wrap_future(ar)
        future.cancel()
        with pytest.raises(asyncio.CancelledError):
            await future

    asyncio.run(main())
    assert ar.cancelled()


def test_a_coroutine_may_wait(bench):
    task = bench.balanced()
    bench.wire.take()

    async def main():
        Answering(bench, "running")
        return task.cancel()

    assert asyncio.run(main()).running == (task.msg_id,)


def test_ten_thousand_are_one_request(bench):
    tasks = [bench.balanced() for _ in range(10_000)]
    bench.wire.take()
    cancelling = bench.messenger.cancel(list(bench.messenger.tasks.pending), TaskAborted)
    assert len(bench.wire.sent) == 1
    answer(bench, "waiting")
    assert len(cancelling.result.result(0).waiting) == 10_000
    assert all(isinstance(task.exception(0), TaskAborted) for task in tasks)


def test_it_can_be_waited_for_by_others(bench):
    first, second = bench.balanced(), bench.balanced()
    begin(bench, first)
    answer(bench, "running")
    done, pending = concurrent.futures.wait([first, second], 0)
    assert (done, pending) == ({first}, {second})
    assert next(concurrent.futures.as_completed([first, second])) is first


def test_whoever_waits_already_is_woken(bench):
    task = bench.balanced()
    woken = []
    waiting = threading.Thread(
        target=lambda: woken.append(concurrent.futures.wait([task], 20).done)
    )
    waiting.start()
    while not task._waiters:
        pass
    begin(bench, task)
    answer(bench, "running")
    waiting.join()
    assert woken == [{task}]


def test_it_is_done_for_its_own_callbacks(bench):
    """They may wait for it, which must not be for ever."""
    task = bench.balanced()
    found = []
    task.add_done_callback(lambda task: found.append(concurrent.futures.wait([task], 0).done))
    begin(bench, task)
    answer(bench, "running")
    assert found == [{task}]


def test_a_remote_error_that_says_cancelled_is_an_error(bench):
    task = bench.balanced()
    bench.wire.fail(
        bench.wire.take()[0], concurrent.futures.CancelledError(), engine_info={"engine_id": 0}
    )
    assert not task.cancelled()
    assert isinstance(task.exception(0), RemoteError)
    with pytest.raises(RemoteError):
        task.result(0)
