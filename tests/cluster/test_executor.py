"""Views as executors: what the standard library promises of these, on real engines."""

from __future__ import annotations

import asyncio
import gc
import itertools
import os
import threading
import time
import weakref
from concurrent import futures
from pathlib import Path

import pytest

import ipyparallel as ipp


def when_there(path: str, value: object = None) -> object:
    """Return when there is such a file."""
    deadline = time.monotonic() + 60
    while not os.path.exists(path):
        if time.monotonic() > deadline:
            raise TimeoutError(path)
        time.sleep(0.002)
    return value


def keywords(*args: object, **kwargs: object) -> object:
    return args, kwargs


def fail(text: str) -> None:
    raise RuntimeError(text)


class FalseyError(Exception):
    """Is not true."""

    def __bool__(self) -> bool:
        return False

    def __len__(self) -> int:
        return 0


def fail_falsely() -> None:
    raise FalseyError("foo")


@pytest.fixture
def executor(client: ipp.Client) -> ipp.ViewExecutor:
    return client.executor()


@pytest.fixture
def go(tmp_path: Path):
    """A file that tasks wait for; made at the end, so that none goes on waiting."""
    path = tmp_path / "go"
    yield path
    path.touch()


# ---- what it is


def test_it_is_an_executor_of_a_view(client: ipp.Client) -> None:
    for view in client.load_balanced_view(), client[:], client[0]:
        executor = view.executor
        assert isinstance(executor, futures.Executor)
        assert isinstance(executor, ipp.ViewExecutor)
        assert executor is view.executor
        assert executor.view is view
        assert executor._max_workers == len(view)
        assert repr(view) in repr(executor)
    assert client.executor([1]).view.targets == [1]


def test_twins_of_a_view_have_executors_of_their_own(client: ipp.Client) -> None:
    view = client.load_balanced_view()
    view.executor.submit(abs, 1).result()
    assert view._with_flags().executor.view is not view


# ---- submit


def test_submit(executor: ipp.ViewExecutor) -> None:
    future = executor.submit(pow, 2, 8)
    assert isinstance(future, futures.Future)
    assert future.result(20) == 256
    assert future.exception() is None
    assert future.done()
    assert not future.running()


def test_submit_takes_any_keyword(executor: ipp.ViewExecutor) -> None:
    future = executor.submit(keywords, 1, self=2, fn=3, view=4)
    assert future.result(20) == ((1,), {"self": 2, "fn": 3, "view": 4})
    with pytest.raises(TypeError):
        executor.submit()
    with pytest.raises(TypeError, match="not callable"):
        executor.submit(5)
    with pytest.raises(TypeError):
        executor.submit(fn=abs, arg=1)


def test_a_failure_is_the_exception_of_the_future(executor: ipp.ViewExecutor) -> None:
    future = executor.submit(fail, "some reason")
    with pytest.raises(RuntimeError, match="some reason"):
        future.result(20)
    assert isinstance(future.exception(), RuntimeError)


def test_falsey_exceptions(executor: ipp.ViewExecutor) -> None:
    future = executor.submit(fail_falsely)
    with pytest.raises(FalseyError, match="foo"):
        future.result(20)
    with pytest.raises(FalseyError, match="foo"):
        list(executor.map(_falsely, [1]))


def _falsely(_: object) -> None:
    fail_falsely()


def test_a_result_that_is_not_there_in_time(executor: ipp.ViewExecutor, go: Path) -> None:
    future = executor.submit(when_there, str(go), 5)
    with pytest.raises(futures.TimeoutError):
        future.result(timeout=0.01)
    go.touch()
    assert future.result(20) == 5


def test_callbacks(executor: ipp.ViewExecutor) -> None:
    called = threading.Event()
    executor.submit(abs, -1).add_done_callback(lambda future: called.set())
    assert called.wait(20)


def test_no_stale_references(executor: ipp.ViewExecutor) -> None:
    class Own:
        def method(self) -> None:
            pass

    own = Own()
    collected = threading.Event()
    gone = weakref.ref(own, lambda _: collected.set())
    executor.submit(own.method).result(20)
    executor.submit(id, own).result(20)
    list(executor.map(id, [own]))
    del own
    gc.collect()
    assert collected.wait(20)
    assert gone() is None


def test_nothing_is_kept_of_what_has_ended(executor: ipp.ViewExecutor) -> None:
    results = [executor.submit(abs, i) for i in range(50)]
    futures.wait(results)
    last = executor.submit(abs, 1)
    last.result(20)
    # callbacks are called after waiters are woken, but one task after the other
    assert executor._pending <= {last}


# ---- several futures


def test_wait_and_as_completed(executor: ipp.ViewExecutor, go: Path) -> None:
    late = executor.submit(when_there, str(go), "late")
    early = executor.submit(abs, -1)
    done, pending = futures.wait([late, early], return_when=futures.FIRST_COMPLETED, timeout=20)
    assert (done, pending) == ({early}, {late})
    done, pending = futures.wait([late, early], timeout=0.01)
    assert (done, pending) == ({early}, {late})
    failed = executor.submit(fail, "x")
    done, _ = futures.wait([late, failed], return_when=futures.FIRST_EXCEPTION, timeout=20)
    assert failed in done
    with pytest.raises(futures.TimeoutError):
        list(futures.as_completed([late, early], timeout=0.01))
    in_turn = futures.as_completed([late, early, early], timeout=20)
    assert next(in_turn) is early
    go.touch()
    assert list(in_turn) == [late]


def test_futures_of_others_may_be_among_them(executor: ipp.ViewExecutor) -> None:
    with futures.ThreadPoolExecutor(1) as threads:
        both = [executor.submit(abs, -1), threads.submit(abs, -2)]
        assert {future.result() for future in futures.as_completed(both, timeout=20)} == {1, 2}


# ---- map


@pytest.mark.parametrize("chunksize", [1, 3, 100, "auto"])
def test_map(executor: ipp.ViewExecutor, chunksize: int | str) -> None:
    assert list(executor.map(pow, range(10), range(10), chunksize=chunksize)) == list(
        map(pow, range(10), range(10))
    )
    assert list(executor.map(pow, itertools.count(), range(3), chunksize=chunksize)) == [1, 1, 4]
    assert list(executor.map(abs, [], chunksize=chunksize)) == []
    assert list(executor.map(abs)) == []


def test_map_raises_at_the_place_of_the_error(executor: ipp.ViewExecutor) -> None:
    found = executor.map(divmod, [1, 1, 1, 1], [2, 3, 0, 5])
    assert next(found) == (0, 1)
    assert next(found) == (0, 1)
    with pytest.raises(ZeroDivisionError):
        next(found)
    assert list(found) == []  # a generator, and over


def test_map_raises_what_the_input_raises(executor: ipp.ViewExecutor) -> None:
    def inputs():
        yield 1
        raise LookupError("no more")

    found = executor.map(abs, inputs())
    assert next(found) == 1
    with pytest.raises(LookupError, match="no more"):
        next(found)


@pytest.mark.parametrize("kind", ["balanced", "direct"])
def test_map_timeout(client: ipp.Client, go: Path, kind: str) -> None:
    view = client.load_balanced_view() if kind == "balanced" else client[:]
    found = view.executor.map(when_there, [str(go)], timeout=0.05)
    with pytest.raises(futures.TimeoutError):
        next(found)
    assert list(found) == []
    with pytest.raises(futures.TimeoutError):
        next(view.executor.map(when_there, [str(go)], timeout=0))
    with pytest.raises(futures.TimeoutError):
        next(view.executor.map(when_there, [str(go)], timeout=-1))
    go.touch()
    assert list(view.executor.map(abs, range(3), timeout=20)) == [0, 1, 2]


def test_map_takes_input_as_there_is_room(executor: ipp.ViewExecutor) -> None:
    numbers = itertools.count()
    found = executor.map(abs, numbers, buffersize=3)
    assert [next(found) for _ in range(10)] == list(range(10))
    found.close()
    assert next(numbers) <= 10 + 4
    for wrong, error in (0, ValueError), (1.5, TypeError), (True, TypeError):
        with pytest.raises(error, match="buffersize must be"):
            executor.map(abs, [1], buffersize=wrong)


def test_map_over_a_direct_view_shares_out(client: ipp.Client) -> None:
    found = client[:].executor.map(pow, range(5), [2] * 5)
    assert list(found) == [0, 1, 4, 9, 16]
    assert list(client[:].executor.map(abs, [])) == []
    assert client[:].executor.submit(abs, -1).result(20) == [1, 1]


# ---- the end


@pytest.mark.parametrize("kind", ["balanced", "direct"])
def test_nothing_is_taken_after_shutdown(client: ipp.Client, kind: str) -> None:
    view = client.load_balanced_view() if kind == "balanced" else client[:]
    executor = view.executor
    executor.shutdown()
    executor.shutdown()
    for call in (lambda: executor.submit(abs, 1), lambda: executor.map(abs, [1])):
        with pytest.raises(RuntimeError, match="cannot schedule new futures after shutdown"):
            call()
    # the engines, and the view, go on
    assert view.apply_sync(abs, -1) in (1, [1, 1])
    assert view.executor is not executor
    assert view.executor.submit(abs, -1).result(20) in (1, [1, 1])


def test_the_end_of_the_context_waits(executor: ipp.ViewExecutor, go: Path) -> None:
    timer = threading.Timer(0.1, go.touch)
    with executor:
        pending = [executor.submit(when_there, str(go), i) for i in range(5)]
        # nobody has taken any of this
        found = executor.map(when_there, [str(go)] * 200, range(200))
        timer.start()
    assert all(future.done() for future in pending)
    assert not executor.view.outstanding
    assert list(found) == list(range(200))


def test_the_end_waits_for_what_nobody_holds_any_more(executor, go: Path) -> None:
    for i in range(4):
        executor.submit(when_there, str(go), i)
    timer = threading.Timer(0.1, go.touch)
    timer.start()
    executor.shutdown()
    assert go.exists()
    assert not executor.view.outstanding


def test_shutdown_need_not_wait(executor: ipp.ViewExecutor, go: Path) -> None:
    future = executor.submit(when_there, str(go), 7)
    found = executor.map(when_there, [str(go)] * 100, range(100))
    executor.shutdown(wait=False)
    assert not future.done()
    with pytest.raises(RuntimeError):
        executor.submit(abs, 1)
    go.touch()
    assert future.result(20) == 7
    assert list(found) == list(range(100))


def test_calls_are_made_whether_results_are_taken_or_not(executor, tmp_path: Path) -> None:
    with executor:
        executor.map(Path.touch, [tmp_path / str(i) for i in range(100)])
    assert len(list(tmp_path.iterdir())) == 100
    assert not executor.view.outstanding


def test_results_that_are_lost_at_once_are_made_all_the_same(executor, go: Path) -> None:
    taken = threading.Event()

    def inputs():
        yield from [str(go)] * 200
        taken.set()

    executor.map(when_there, inputs())
    gc.collect()
    # more than may be outstanding
    assert taken.wait(20)
    go.touch()
    assert executor.view.wait(timeout=20)


def test_results_that_are_lost_in_the_middle_are_not_made(executor: ipp.ViewExecutor) -> None:
    numbers = itertools.count()
    found = executor.map(abs, numbers)
    assert next(found) == 0
    del found
    gc.collect()
    executor.shutdown()
    assert not executor.view.outstanding


def test_shutdown_can_cancel_what_has_no_end(executor: ipp.ViewExecutor) -> None:
    found = executor.map(abs, itertools.count())
    assert [next(found) for _ in range(3)] == [0, 1, 2]
    executor.shutdown(cancel_futures=True)
    with pytest.raises(futures.CancelledError):
        list(found)
    assert list(found) == []
    assert not executor.view.outstanding


# ---- asyncio


def test_shutdown_cancels_all_at_once(
    client: ipp.Client, executor: ipp.ViewExecutor, go: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    results = executor.map(when_there, [str(go)] * 50, buffersize=50)
    pending = [executor.submit(when_there, str(go)) for _ in range(50)]
    requests = []
    cancel = client._messenger.cancel
    monkeypatch.setattr(
        client._messenger, "cancel", lambda *a, **kw: requests.append(a) or cancel(*a, **kw)
    )
    executor.shutdown(wait=False, cancel_futures=True)
    assert len(requests) == 1
    # whichever had begun, of these or of the map, go on
    assert sum(not future.cancelled() for future in pending) <= len(client)
    go.touch()
    with pytest.raises(futures.CancelledError):
        list(results)


def begin_and_wait(begun: str, go: str) -> str:
    import os
    import time

    open(begun, "w").close()
    while not os.path.exists(go):
        time.sleep(0.01)
    return "ended"


def test_what_runs_ends_as_it_would(
    client: ipp.Client, executor: ipp.ViewExecutor, go: Path, tmp_path: Path
) -> None:
    begun = [tmp_path / f"begun-{i}" for i in range(len(client))]
    running = [executor.submit(begin_and_wait, str(path), str(go)) for path in begun]
    while not all(path.exists() for path in begun):
        time.sleep(0.01)
    waiting = [executor.submit(abs, -1) for _ in range(5)]
    executor.shutdown(wait=False, cancel_futures=True)
    assert [future.cancelled() for future in running] == [False, False]
    assert all(future.cancelled() for future in waiting)
    go.touch()
    assert [future.result(30) for future in running] == ["ended", "ended"]


def test_a_map_that_is_cancelled_does_not_seem_to_end(executor: ipp.ViewExecutor) -> None:
    go_on = threading.Event()

    def inputs():
        yield from range(3)
        go_on.wait()
        yield 3

    results = executor.map(abs, inputs())
    try:
        assert next(results) == 0
        executor.shutdown(cancel_futures=True)  # does not wait for the input
        with pytest.raises(futures.CancelledError):
            list(results)
        assert list(results) == []
    finally:
        go_on.set()


def test_a_map_that_has_ended_is_not_cancelled(executor: ipp.ViewExecutor) -> None:
    results = executor.map(abs, range(3))
    for lazy_map in list(executor._maps):
        lazy_map.wait_for_all()
    executor.shutdown(cancel_futures=True)
    assert list(results) == [0, 1, 2]


def test_run_in_executor(executor: ipp.ViewExecutor, go: Path) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        assert await loop.run_in_executor(executor, pow, 2, 5) == 32
        with pytest.raises(RuntimeError, match="why"):
            await loop.run_in_executor(executor, fail, "why")
        waiting = loop.run_in_executor(executor, when_there, str(go), 3)
        several = [loop.run_in_executor(executor, abs, -i) for i in range(10)]
        assert await asyncio.gather(*several) == list(range(10))
        assert not waiting.done()
        go.touch()
        assert await waiting == 3

    asyncio.run(main())
