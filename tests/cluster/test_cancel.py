"""Cancelling, and aborting, tasks on a real cluster: waiting, queued, and running ones."""

from __future__ import annotations

import asyncio
import concurrent.futures
import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

import ipyparallel as ipp
from tests.support.processes import wait_until

#: Longer than any test; a task that sleeps so long is ended by what is tested, or never.
LONG = 60


def sleeper() -> Callable[[str], None]:
    """A function that leaves a mark when it begins, and then sleeps; one that travels by value."""

    def begin_and_sleep(place: str) -> None:
        import time
        from pathlib import Path

        Path(place).touch()
        time.sleep(60)

    return begin_and_sleep


@pytest.fixture
def start(tmp_path: Path) -> Callable[..., ipp.AsyncResult]:
    """Has a view run something long; returns when it runs on as many engines."""

    def start(view: ipp.DirectView | ipp.LoadBalancedView) -> ipp.AsyncResult:
        place = tmp_path / str(len(list(tmp_path.iterdir())))
        result = view.apply_async(sleeper(), str(place))
        wait_until(place.exists, "the beginning of the task")
        return result

    return start


@pytest.fixture(autouse=True)
def nothing_is_left(client: ipp.Client):
    """All engines are free after each test, as nothing else would leave them."""
    yield
    assert client[:].apply_async(abs, -1).get(20) == [1, 1]
    assert client.load_balanced_view().map_async(abs, range(20)).get(20) == list(range(20))
    assert client.outstanding == set()
    load = client.queue_status()
    assert [load[i]["tasks"] for i in client.ids] == [0, 0]
    assert load["unassigned"] == 0


def view_of(client: ipp.Client, kind: str) -> ipp.DirectView | ipp.LoadBalancedView:
    return client[0] if kind == "direct" else client.load_balanced_view()


kinds = pytest.mark.parametrize("kind", ["direct", "balanced"])


@kinds
def test_a_running_task_is_interrupted(client, start, kind) -> None:
    running = start(view_of(client, kind))
    done = running.cancel()
    assert done == True  # noqa: E712
    assert done.running == tuple(running.msg_ids)
    assert running.cancelled()
    with pytest.raises(ipp.error.TaskCancelled, match="while it ran"):
        running.get(0)


@kinds
def test_what_waits_is_never_run(client, start, kind, tmp_path) -> None:
    blocking = [start(client[0]), start(client[1])]
    mark = tmp_path / "mark"
    waiting = [view_of(client, kind).apply_async(mark.touch) for _ in range(20)]
    done = ipp.AsyncResult.join(*waiting).cancel()
    assert len(done.waiting) + len(done.queued) == 20
    assert all(result.cancelled() for result in waiting)
    with pytest.raises(concurrent.futures.CancelledError, match="before it began"):
        waiting[-1].get(0)
    for result in blocking:
        assert result.cancel()
    assert client[:].apply_async(abs, -1).get(20) == [1, 1]
    assert not mark.exists()


def test_what_has_ended_keeps_its_result(client) -> None:
    result = client[0].apply_async(abs, -3)
    result.wait()
    assert result.cancel() == False  # noqa: E712
    assert result.get() == 3


def test_only_those_that_have_not_ended_are_cancelled(client, start) -> None:
    view = client.load_balanced_view()
    ended, running = view.apply_async(abs, -3), start(view)
    ended.wait(20)
    both = ipp.AsyncResult.join(ended, running)
    done = both.cancel()
    assert (done.finished, done.running) == (tuple(ended.msg_ids), tuple(running.msg_ids))
    with pytest.raises(ipp.error.TaskCancelled, match="1 of 2 tasks"):
        both.get()
    three, cancelled = both.get(return_exceptions=True)
    assert (three, type(cancelled)) == (3, ipp.error.TaskCancelled)
    assert ended.get() == 3


@kinds
def test_a_task_is_cancelled_or_gives_its_result(client, kind) -> None:
    """Whatever the moment: nothing hangs, and nothing else is interrupted."""
    view = view_of(client, kind)
    for i in range(200):
        result = view.apply_async(abs, -i)
        other = view.apply_async(abs, -i)
        if result.cancel():
            assert result.cancelled()
        else:
            assert result.get(20) == i
        assert other.get(20) == i


def test_a_cancelled_map_gives_what_has_ended(client) -> None:
    view = client.load_balanced_view()
    result = view.map_async(
        lambda x: __import__("time").sleep(60 * (x > 3)) or x, range(20), chunksize=1
    )
    wait_until(lambda: result.progress == 4, "the first four")
    assert result.cancel()
    items = result.get(return_exceptions=True)
    assert items[:4] == [0, 1, 2, 3]
    assert {type(item) for item in items[4:]} == {ipp.error.TaskCancelled}


def test_code_is_cancelled_and_its_output_is_kept(client, capsys) -> None:
    view = client[:]
    result = view.execute("import time; print('begun', flush=True); time.sleep(60)")
    wait_until(lambda: result.stdout == ["begun\n"] * 2, "output")
    assert len(result.cancel().running) == 2
    assert result.stdout == ["begun\n"] * 2
    result.display_outputs()
    assert capsys.readouterr().out.count("begun") == 2


def test_waiting_for_a_cancelled_result_with_a_bar(client, start) -> None:
    running = start(client[0])
    running.cancel()
    running.wait_interactive()
    assert running.wait_for_output(20)
    with running.stream_output():
        pass


def test_asyncio_cancels_tasks(client, start) -> None:
    view = client.load_balanced_view()
    awaited, wrapped = start(view), start(view)

    async def main() -> None:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(awaited, 0.01)
        future = asyncio.wrap_future(wrapped)
        future.cancel()
        with pytest.raises(asyncio.CancelledError):
            await future

    asyncio.run(main())
    assert awaited.cancelled()
    assert wrapped.cancelled()


def test_a_callback_cancels_other_tasks(client, start) -> None:
    running = start(client[0])
    first = client[1].apply_async(abs, -1)
    first.add_done_callback(lambda _: running.cancel())
    assert first.get(20) == 1
    assert concurrent.futures.wait([running], 20).done == {running}
    assert running.cancelled()


# ---- aborting


@kinds
def test_aborted_tasks_raise(client, start, kind) -> None:
    view = view_of(client, kind)
    running = start(view)
    done = view.abort(block=True).get()
    assert isinstance(done, ipp.Cancellation)
    assert done.running == tuple(running.msg_ids)
    assert not running.cancelled()
    with pytest.raises(ipp.TaskAborted, match="was aborted while it ran"):
        running.get(0)
    with pytest.raises(RuntimeError, match="Cannot abort"):
        running.abort()


def test_aborting_on_several_engines_raises(client) -> None:
    result = client[:].apply_async(time.sleep, LONG)
    assert result.abort()
    with pytest.raises(ipp.CompositeError, match="TaskAborted"):
        result.get(20)


def test_everything_is_aborted_at_once(client) -> None:
    views = client[:], client.load_balanced_view()
    results = [view.apply_async(time.sleep, LONG) for view in views for _ in range(500)]
    done = client.abort().get(20)
    assert len(done.waiting) + len(done.queued) + len(done.running) == 1500
    assert client.wait(results, timeout=0)


def test_only_what_engines_have_that_are_named_is_aborted(client, start) -> None:
    view = client.load_balanced_view()
    running = [start(view), start(view)]
    waiting = [view.apply_async(abs, -4) for _ in range(20)]
    done = client.abort(targets=0).get(20)
    assert len(done.running) == 1
    assert not done.waiting
    (left,) = [result for result in running if not result.done()]
    assert left.cancel()
    ended = [result.exception(20) for result in waiting]
    assert sum(error is not None for error in ended) == len(done.queued)


def test_another_clients_tasks_can_be_aborted(client, start) -> None:
    running = start(client.load_balanced_view())
    cluster = client.cluster
    with ipp.Client(profile_dir=cluster.profile_dir, cluster_id=cluster.cluster_id) as other:
        assert other.abort(running.msg_ids).wait(20)
        assert repr(other.abort().get(20)) == "<Cancellation: no tasks>"
    with pytest.raises(ipp.TaskAborted):
        running.get(20)


def test_interrupted_cancelling_does_no_harm(client, start) -> None:
    import _thread

    running = start(client[0])
    try:
        _thread.interrupt_main()
        running.cancel()
    except KeyboardInterrupt:
        running.cancel()
    assert concurrent.futures.wait([running], 20).done == {running}


def test_an_engine_that_dies_leaves_nothing_to_wait_for(new_cluster, tmp_path) -> None:
    _, client = new_cluster(1)
    pid = client[0].apply_sync(os.getpid)
    running = client[0].apply_async(sleeper(), str(tmp_path / "begun"))
    wait_until((tmp_path / "begun").exists, "the beginning of the task")
    os.kill(pid, 9)
    result = client.abort()
    assert client.wait(timeout=20)
    assert result.wait(20)
    with pytest.raises((ipp.EngineError, ipp.TaskAborted)):
        running.get(20)
