"""Maps whose tasks are sized by how long they take, on real engines."""

from __future__ import annotations

import asyncio
import gc
import os
import threading
import time
import weakref
from collections.abc import Iterator
from pathlib import Path

import pytest

import ipyparallel as ipp


def double(x: int) -> int:
    return x * 2


def inverse(x: float) -> float:
    return 1 / x


def busy(x: int) -> int:
    """Take 20 µs or so of this engine's time."""
    end = time.thread_time() + 20e-6
    while time.thread_time() < end:
        pass
    return x


def first_when_there(path: str, x: int) -> int:
    """Element 0 is there when such a file is."""
    deadline = time.monotonic() + 60
    while x == 0 and not os.path.exists(path):
        if time.monotonic() > deadline:
            raise TimeoutError(path)
        time.sleep(0.002)
    return x


@pytest.fixture
def view(client: ipp.Client) -> ipp.LoadBalancedView:
    return client.load_balanced_view()


@pytest.mark.parametrize("length", [1, 2, 3, 10, 1000, 20_000])
def test_results_are_those_of_the_input(view: ipp.LoadBalancedView, length: int) -> None:
    result = view.map_async(double, range(length), chunksize="auto")
    assert isinstance(result, ipp.AsyncMapResult)
    assert len(result) == length
    assert result.get(60) == [double(x) for x in range(length)]
    assert result.progress == length
    assert result.ready()
    assert result.successful()
    assert len(result.msg_ids) <= length
    assert result.wall_time > 0
    assert [item for part in result.split() for (chunk,) in [part.get()] for item in chunk] == (
        result.get()
    )


def test_quick_calls_make_few_tasks(view: ipp.LoadBalancedView) -> None:
    result = view.map_async(busy, range(10_000), chunksize="auto")
    result.get(60)
    assert len(result.msg_ids) < 500
    assert list(view.history)[-len(result.msg_ids) :] == result.msg_ids


def test_nothing_is_nothing(view: ipp.LoadBalancedView) -> None:
    assert view.map(double, [], chunksize="auto") == []
    assert view.map_sync(double, iter(()), chunksize="auto") == []


def test_several_sequences_of_several_kinds(view: ipp.LoadBalancedView) -> None:
    numpy = pytest.importorskip("numpy")
    bases, exponents = numpy.arange(300), iter([2] * 500)
    found = view.map_sync(pow, bases, exponents, chunksize="auto")
    assert [int(x) for x in found] == [x**2 for x in range(300)]


def test_wrong_options_are_told_at_once(view: ipp.LoadBalancedView) -> None:
    with pytest.raises(ValueError, match="chunksize must be a positive number or 'auto'"):
        view.map(double, [1], chunksize="some")
    with pytest.raises(TypeError, match="label must be"):
        view.map(double, [1], chunksize="auto", label=5)
    with pytest.raises(ValueError, match="dist must be 'b'"):
        ipp.ParallelFunction(view, double, dist="r", chunksize="auto")([1, 2])


@pytest.mark.parametrize("as_method", [True, False])
def test_parallel_functions_take_it(view: ipp.LoadBalancedView, as_method: bool) -> None:
    function = ipp.ParallelFunction(view, double if as_method else sorted, chunksize="auto")
    result = function.map(range(100)) if as_method else function(list(range(100)))
    assert result.get(30) == [double(x) if as_method else x for x in range(100)]


def test_labels_and_flags_count_as_they_are_at_the_call(client: ipp.Client) -> None:
    view = client.load_balanced_view()
    with view.temp_flags(targets=[1]):
        result = view.map_async(double, range(3000), chunksize="auto", label="mine")
    view.label = "other"
    result.get(60)
    assert set(result.engine_id) == {1}
    assert set(result.label) == {"mine"}


# ---- while it grows


def test_tasks_are_submitted_as_there_is_room(view: ipp.LoadBalancedView, tmp_path: Path) -> None:
    path = tmp_path / "go"
    with view.temp_flags(targets=[0]):
        result = view.map_async(first_when_there, [str(path)] * 1000, range(1000), chunksize="auto")
    assert result.progress == 0
    assert len(result) == 1000
    assert result.elapsed > 0
    assert not result.wait(timeout=0.1)
    assert repr(result) == "<AsyncMapResult(first_when_there): pending>".replace(
        "AsyncMapResult", type(result).__name__
    )
    assert len(view.outstanding) <= 3
    path.touch()
    assert result.get(60) == list(range(1000))


def test_asking_for_the_tasks_has_all_submitted(view: ipp.LoadBalancedView, tmp_path: Path) -> None:
    path = tmp_path / "go"
    result = view.map_async(first_when_there, [str(path)] * 1000, range(1000), chunksize="auto")
    msg_ids = result.msg_ids
    assert not result.ready()
    assert len(msg_ids) == len(result.split())
    path.touch()
    assert result.get(60) == list(range(1000))
    assert result.msg_ids == msg_ids


@pytest.mark.parametrize("ordered", [True, False])
def test_iteration_gives_all_there_is_and_comes(view: ipp.LoadBalancedView, ordered: bool) -> None:
    values = list(range(5000))
    result = view.map_async(busy, values, chunksize="auto", ordered=ordered)
    first = next(iter(result))
    found = list(result)
    assert (found if ordered else sorted(found)) == values
    assert first in values
    assert list(result) == found

    async def collect() -> list[int]:
        growing = view.map_async(busy, values, chunksize="auto", ordered=ordered)
        return [item async for item in growing]

    assert sorted(asyncio.run(collect())) == values


def test_what_comes_first_may_be_taken_first(view: ipp.LoadBalancedView, tmp_path: Path) -> None:
    path = tmp_path / "go"
    result = view.map_async(
        first_when_there, [str(path)] * 300, range(300), chunksize="auto", ordered=False
    )
    items = iter(result)
    assert next(items) > 0
    path.touch()
    assert sorted(result) == list(range(300))


# ---- failures


def test_errors_are_those_of_the_calls(view: ipp.LoadBalancedView) -> None:
    values = [1] * 500 + [0] + [1] * 500
    with pytest.raises(ipp.CompositeError, match="ZeroDivisionError"):
        view.map_sync(inverse, values, chunksize="auto")
    found = view.map_sync(inverse, values, chunksize="auto", return_exceptions=True)
    assert sum(isinstance(item, ZeroDivisionError) for item in found) == 1
    assert found[0] == found[-1] == 1
    items = iter(view.map_async(inverse, values, chunksize="auto"))
    with pytest.raises(ipp.CompositeError, match="ZeroDivisionError"):
        list(items)


def test_what_cannot_be_sent_at_all_is_told_by_the_call(view: ipp.LoadBalancedView) -> None:
    lock = threading.Lock()
    before = len(view.history)
    with pytest.raises(TypeError, match="cannot pickle the function"):
        view.map_async(lambda x: lock, [1, 2], chunksize="auto")
    assert len(view.history) == before


def test_what_cannot_be_sent_later_fails_the_result(view: ipp.LoadBalancedView) -> None:
    values: list[object] = list(range(2000))
    values[1000] = threading.Lock()
    result = view.map_async(str, values, chunksize="auto")
    with pytest.raises(TypeError, match="cannot pickle"):
        result.get(60)
    items: Iterator[str] = iter(view.map_async(str, values, chunksize="auto"))
    assert next(items) == "0"
    with pytest.raises(TypeError, match="cannot pickle"):
        list(items)
    assert view.wait(timeout=30)


def test_chunks_that_were_sent_before_one_that_cannot_be_are_aborted(
    view: ipp.LoadBalancedView,
) -> None:
    with pytest.raises(TypeError, match="cannot pickle"):
        view.map_async(str, [*range(50), threading.Lock(), *range(50)], chunksize=10)
    assert view.wait(timeout=30)


def test_abort_ends_it(view: ipp.LoadBalancedView, tmp_path: Path) -> None:
    path = tmp_path / "go"
    result = view.map_async(first_when_there, [str(path)] * 1000, [0] * 1000, chunksize="auto")
    assert not result.ready()
    aborting = threading.Thread(target=result.abort)
    aborting.start()
    path.touch()
    with pytest.raises((ipp.TaskAborted, ipp.CompositeError)):
        result.get(60)
    aborting.join(20)
    assert len(result.msg_ids) < 1000
    with pytest.raises(RuntimeError, match="have ended"):
        result.abort()


def test_the_end_of_the_client_is_its_end(new_cluster, tmp_path: Path) -> None:
    _, client = new_cluster(1)
    result = client.load_balanced_view().map_async(
        first_when_there, [str(tmp_path / "no")] * 100, [0] * 100, chunksize="auto"
    )
    client.close()
    with pytest.raises((ipp.EngineError, OSError, ipp.CompositeError)):
        result.get(20)


def test_it_is_freed_when_nobody_holds_it(view: ipp.LoadBalancedView) -> None:
    gc.collect()
    gc.disable()
    try:
        result = view.map_async(double, range(1000), chunksize="auto")
        result.get(60)
        gone = weakref.ref(result)
        threads = [t for t in threading.enumerate() if t.name == "ipyparallel map"]
        for thread in threads:
            thread.join(20)
        del result
        assert gone() is None
    finally:
        gc.enable()
