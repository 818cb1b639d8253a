"""Maps that take their inputs as they need them, on real engines."""

from __future__ import annotations

import asyncio
import gc
import itertools
import os
import threading
import time
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import pytest

import ipyparallel as ipp
from ipyparallel.client.view import LazyMapIterator
from ipyparallel.client.views.feeding import Signal
from tests.support.interrupts import ctrl_c_while_waiting


def double(x: int) -> int:
    return x * 2


def inverse(x: float) -> float:
    return 1 / x


def when_there(path: str, value: object) -> object:
    """Return when there is such a file."""
    deadline = time.monotonic() + 60
    while not os.path.exists(path):
        if time.monotonic() > deadline:
            raise TimeoutError(path)
        time.sleep(0.002)
    return value


class Counted:
    """An input without end that knows how much of it was taken, and in which threads."""

    def __init__(self) -> None:
        self.taken = 0
        self.threads: set[threading.Thread] = set()
        self.closed = threading.Event()

    def __iter__(self) -> Iterator[int]:
        try:
            while True:
                self.threads.add(threading.current_thread())
                self.taken += 1
                yield self.taken
        finally:
            self.closed.set()


@pytest.fixture
def view(client: ipp.Client) -> ipp.LoadBalancedView:
    return client.load_balanced_view()


def settled(view: ipp.LoadBalancedView) -> None:
    """Wait until the cluster has nothing of this view to do."""
    assert view.wait(timeout=30)


# ---- results


@pytest.mark.parametrize("chunksize", [1, 3, 100, "auto"])
@pytest.mark.parametrize("max_outstanding", ["auto", 1, 3, 0])
def test_results_come_in_the_order_of_the_input(
    view: ipp.LoadBalancedView, chunksize: int | str, max_outstanding: int | str
) -> None:
    found = view.imap(double, range(50), chunksize=chunksize, max_outstanding=max_outstanding)
    assert isinstance(found, LazyMapIterator)
    assert list(found) == [double(x) for x in range(50)]
    assert found.progress == 50
    assert list(found) == []


@pytest.mark.parametrize("chunksize", [1, 7, "auto"])
def test_results_come_as_they_are_there(view: ipp.LoadBalancedView, chunksize: int | str) -> None:
    found = view.imap(double, range(50), ordered=False, chunksize=chunksize)
    assert sorted(found) == [double(x) for x in range(50)]


def test_what_is_there_first_comes_first(view: ipp.LoadBalancedView, tmp_path: Path) -> None:
    late, early = str(tmp_path / "late"), str(tmp_path)
    found = view.imap(when_there, [late, early], ["late", "early"], ordered=False)
    assert next(found) == "early"
    Path(late).touch()
    assert list(found) == ["late"]


def test_it_goes_as_far_as_the_shortest_input(view: ipp.LoadBalancedView) -> None:
    assert list(view.imap(pow, itertools.count(1), [2] * 4)) == [1, 4, 9, 16]
    assert list(view.imap(pow, itertools.count(1), [2] * 4, chunksize=3)) == [1, 4, 9, 16]
    assert list(view.imap(double, [])) == []
    assert list(view.imap(double, iter(()), chunksize="auto")) == []


def test_what_a_call_returns_is_one_result(view: ipp.LoadBalancedView) -> None:
    for chunksize in (1, 2, "auto"):
        assert list(view.imap(divmod, [7, 8], [2, 3], chunksize=chunksize)) == [(3, 1), (2, 2)]


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"chunksize": 0}, ValueError),
        ({"chunksize": 1.5}, ValueError),
        ({"chunksize": "some"}, ValueError),
        ({"max_outstanding": -1}, ValueError),
        ({"max_outstanding": True}, ValueError),
        ({"max_outstanding": "all"}, ValueError),
        ({"ordered": 1}, TypeError),
        ({"return_exceptions": None}, TypeError),
    ],
)
def test_wrong_options_are_told_at_once(view, options, error) -> None:
    with pytest.raises(error, match=next(iter(options))):
        view.imap(double, [1], **options)
    with pytest.raises(TypeError, match="not callable"):
        view.imap(5, [1])
    with pytest.raises(TypeError, match="at least one"):
        view.imap(double)
    with pytest.raises(TypeError, match="not iterable"):
        view.imap(double, 5)


# ---- as much as is needed


@pytest.mark.parametrize("chunksize", [1, 4])
def test_no_more_is_taken_than_may_be_outstanding(
    view: ipp.LoadBalancedView, chunksize: int
) -> None:
    inputs = Counted()
    with view.imap(double, inputs, max_outstanding=3, chunksize=chunksize) as found:
        for number in range(1, 40):
            assert next(found) == 2 * number
            # one task is being given away
            assert inputs.taken <= number + 4 * chunksize
    assert inputs.closed.wait(20)
    assert client_thread_names(inputs) == {"ipyparallel map"}


def client_thread_names(inputs: Counted) -> set[str]:
    return {thread.name for thread in inputs.threads}


def test_outstanding_tasks_are_few_while_they_are_long(
    view: ipp.LoadBalancedView, tmp_path: Path
) -> None:
    path = tmp_path / "go"
    inputs = Counted()
    with view.imap(when_there, itertools.repeat(str(path)), inputs) as found:
        with pytest.raises(TimeoutError, match="not ready"):
            found.next(timeout=0.2)
        assert 0 < inputs.taken <= 2 * len(view)
        path.touch()
        assert [next(found) for _ in range(100)] == list(range(1, 101))
        assert inputs.taken <= 100 + 16 * len(view) + 1


def test_the_input_may_wait_for_results(view: ipp.LoadBalancedView) -> None:
    """What comes out decides on what goes in: neither side waits for the other for ever."""
    results: list[int] = []
    more = threading.Semaphore(1)

    def inputs() -> Iterator[int]:
        for _ in range(20):
            assert more.acquire(timeout=30)
            yield results[-1] if results else 1

    for result in view.imap(double, inputs()):
        results.append(result)
        more.release()
    assert results == [2**n for n in range(1, 21)]


def test_many_items_need_little_memory(view: ipp.LoadBalancedView) -> None:
    list(view.imap(double, range(2000)))
    gc.collect()
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        total = sum(view.imap(double, range(5_000), chunksize=1))
        total += sum(view.imap(double, range(100_000), chunksize=100))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert total == 2 * (sum(range(5_000)) + sum(range(100_000)))
    # the history keeps eight bytes for each task
    assert peak - before < 3_000_000


def test_a_result_is_freed_when_it_was_given_away(view: ipp.LoadBalancedView) -> None:
    found = view.imap(double, range(200), max_outstanding=4)
    for _ in range(150):
        next(found)
    gc.collect()
    known = len(view.client.results)
    assert known <= 4 + 1
    list(found)


# ---- failures


@pytest.mark.parametrize("chunksize", [1, 2, "auto"])
def test_what_the_input_raises_comes_at_its_place(view, chunksize) -> None:
    def inputs() -> Iterator[int]:
        yield from range(5)
        raise ZeroDivisionError("no more")

    for ordered in (True, False):
        found = view.imap(double, inputs(), chunksize=chunksize, ordered=ordered)
        assert sorted(next(found) for _ in range(5)) == [0, 2, 4, 6, 8]
        with pytest.raises(ZeroDivisionError, match="no more"):
            next(found)
        assert list(found) == []


def test_what_cannot_be_sent_comes_at_its_place(view: ipp.LoadBalancedView) -> None:
    found = view.imap(double, [1, 2, threading.Lock(), 4])
    assert [next(found), next(found)] == [2, 4]
    with pytest.raises(TypeError, match="cannot pickle argument 0"):
        next(found)
    assert list(found) == []


def test_after_an_error_it_goes_on(view: ipp.LoadBalancedView) -> None:
    found = view.imap(inverse, [1, 0, 2])
    assert next(found) == 1
    with pytest.raises(ZeroDivisionError) as info:
        next(found)
    assert isinstance(info.value, ipp.RemoteError)
    assert list(found) == [0.5]


def test_errors_may_be_results(view: ipp.LoadBalancedView) -> None:
    one, error, two = view.imap(inverse, [1, 0, 2], return_exceptions=True)
    assert (one, two) == (1, 0.5)
    assert isinstance(error, ZeroDivisionError)
    results = list(view.imap(inverse, [1, 0, 2, 4], chunksize=2, return_exceptions=True))
    assert isinstance(results[0], ZeroDivisionError)
    assert results[1:] == [0.5, 0.25]


def test_a_returned_exception_is_a_result(view: ipp.LoadBalancedView) -> None:
    (result,) = view.imap(ValueError, ["x"])
    assert isinstance(result, ValueError)


# ---- the end before the end


def test_cancel_stops_it(view: ipp.LoadBalancedView, tmp_path: Path) -> None:
    inputs = Counted()
    path = tmp_path / "go"
    found = view.imap(when_there, itertools.repeat(str(path)), inputs)
    with pytest.raises(TimeoutError):
        found.next(timeout=0)
    found.cancel()
    assert inputs.closed.wait(20)
    taken = inputs.taken
    assert list(found) == []
    path.touch()
    settled(view)
    assert inputs.taken == taken
    found.cancel()


def test_cancel_wakes_who_waits(view: ipp.LoadBalancedView, tmp_path: Path) -> None:
    path = tmp_path / "go"
    found = view.imap(when_there, [str(path)], [1])
    ended = []
    waiter = threading.Thread(target=lambda: ended.append(list(found)))
    waiter.start()
    found.cancel()
    waiter.join(20)
    assert ended == [[]]
    path.touch()
    settled(view)


def test_leaving_the_context_stops_it(view: ipp.LoadBalancedView) -> None:
    inputs = Counted()
    with view.imap(double, inputs) as found:
        assert next(found) == 2
    assert inputs.closed.wait(20)
    settled(view)


def test_losing_it_stops_it(view: ipp.LoadBalancedView) -> None:
    inputs = Counted()
    for _ in view.imap(double, inputs):
        break
    gc.collect()
    assert inputs.closed.wait(20)
    settled(view)
    names = [thread.name for thread in threading.enumerate()]
    assert names.count("ipyparallel map") <= 1  # it may be about to end


def test_the_end_of_the_client_is_its_end(new_cluster) -> None:
    _, client = new_cluster(1)
    found = client.load_balanced_view().imap(double, Counted())
    assert next(found) == 2
    client.close()
    with pytest.raises((ipp.EngineError, OSError)):
        for _ in found:
            pass


# ---- flags


def test_flags_count_as_they_are_at_the_call(client: ipp.Client) -> None:
    view = client.load_balanced_view()
    with view.temp_flags(targets=[1], label="mine"):
        found = view.imap(_engine_pid, range(30), max_outstanding=2)
    assert set(found) == {client[1].apply_sync(os.getpid)}


def _engine_pid(_: object) -> int:
    return os.getpid()


def test_a_view_waits_for_its_lazy_maps(view: ipp.LoadBalancedView, tmp_path: Path) -> None:
    path = tmp_path / "go"
    found = view.imap(when_there, [str(path)] * 2, [1, 2], max_outstanding=0)
    with pytest.raises(TimeoutError):
        found.next(timeout=0.05)
    assert len(view.outstanding) == 2
    path.touch()
    settled(view)
    assert list(found) == [1, 2]


# ---- waiting in other ways


def test_ctrl_c_loses_nothing(view: ipp.LoadBalancedView, tmp_path: Path) -> None:
    path = tmp_path / "go"
    found = view.imap(when_there, [str(path)] * 5, range(5))
    with (
        pytest.raises(KeyboardInterrupt),
        ctrl_c_while_waiting(inside=Signal.wait, of=LazyMapIterator.next),
    ):
        next(found)
    path.touch()
    assert list(found) == list(range(5))


def test_async_for(view: ipp.LoadBalancedView, tmp_path: Path) -> None:
    path = tmp_path / "go"

    async def collect() -> list[object]:
        results = []
        asyncio.get_running_loop().call_later(0.1, path.touch)
        async for result in view.imap(when_there, [str(path)] * 20, range(20)):
            results.append(result)
        return results

    assert asyncio.run(collect()) == list(range(20))

    async def failing() -> None:
        async for _ in view.imap(inverse, [1, 0]):
            pass

    with pytest.raises(ZeroDivisionError):
        asyncio.run(failing())
