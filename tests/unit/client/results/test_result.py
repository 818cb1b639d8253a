"""Results of one or many tasks: waited for, collected, iterated, timed."""

import concurrent.futures
import threading
from concurrent.futures import FIRST_COMPLETED, FIRST_EXCEPTION, as_completed
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from ipyparallel.client.asyncresult import AsyncMapResult, AsyncResult
from ipyparallel.client.partition import Block, RoundRobin
from ipyparallel.error import CompositeError, EngineError, RemoteError, TaskAborted


def remote(engine_id=0):
    info = {"engine_id": engine_id, "engine_uuid": f"u{engine_id}", "method": "apply"}
    return RemoteError("ZeroDivisionError", "division by zero", "Traceback", info)


@pytest.fixture
def one(tasks):
    """A task, and the single result made of it."""
    task = tasks.make()
    return task, AsyncResult(None, task, "f")


@pytest.fixture
def three(tasks):
    """Three tasks, and the result made of them."""
    made = tasks.many(3)
    return made, AsyncResult(None, made, "f")


def finish_all(tasks, made, results="abc"):
    for engine_id, (task, result) in enumerate(zip(made, results, strict=True)):
        tasks.finish(task, result, engine_id=engine_id)


# ---- completion


def test_a_single_task_gives_its_result(tasks, one):
    task, ar = one
    tasks.finish(task, "a")
    assert ar.get() == ar.get(0) == ar.r == ar.result() == "a"


def test_several_give_a_list_in_the_order_of_the_tasks(tasks, three):
    made, ar = three
    for task, result in reversed(list(zip(made, "abc", strict=True))):
        assert not ar.done()
        tasks.finish(task, result)
    assert ar.get() == ["a", "b", "c"]


def test_a_list_of_one_gives_a_list(tasks):
    task = tasks.make()
    ar = AsyncResult(None, [task])
    tasks.finish(task, "a")
    assert ar.get() == ["a"]


def test_of_nothing_it_is_done_at_once():
    ar = AsyncResult(None, [])
    assert ar.done()
    assert (ar.get(), len(ar), ar.progress, list(ar), ar.msg_ids) == ([], 0, 0, [], [])


def test_of_tasks_that_have_ended_it_is_done_at_once(tasks):
    made = tasks.many(3)
    finish_all(tasks, made)
    assert AsyncResult(None, made).get(0) == ["a", "b", "c"]


@pytest.mark.parametrize("timeout", [0, 0.01])
def test_a_result_that_is_not_there_in_time_is_a_timeout(timeout, three):
    _, ar = three
    with pytest.raises(TimeoutError, match=r"Result not ready\."):
        ar.get(timeout)
    assert ar.wait(timeout) is False
    assert not ar.ready()
    with pytest.raises(TimeoutError):
        ar.result(timeout)


@pytest.mark.parametrize("timeout", [None, -1, -0.5])
def test_no_timeout_and_a_negative_one_wait_for_ever(timeout, tasks, one):
    task, ar = one
    timer = threading.Timer(0.02, tasks.finish, (task, "a"))
    timer.start()
    assert ar.wait(timeout) is True
    assert ar.get(timeout) == "a"
    timer.join()


def test_readiness_and_success(tasks, three):
    made, ar = three
    with pytest.raises(RuntimeError, match="Not ready"):
        ar.successful()
    finish_all(tasks, made)
    assert (ar.ready(), ar.done(), ar.successful()) == (True, True, True)


@pytest.mark.parametrize("return_exceptions", [False, True])
def test_a_failure_is_no_success_though_it_is_returned(return_exceptions, tasks):
    made = tasks.many(2)
    ar = AsyncResult(None, made, return_exceptions=return_exceptions)
    tasks.finish(made[0])
    tasks.fail(made[1], remote())
    assert (ar.ready(), ar.successful()) == (True, False)


def test_its_state_is_shown(tasks):
    good, bad = tasks.many(2)
    first, second = AsyncResult(None, good, "f"), AsyncResult(None, bad, "g")
    assert repr(first) == "<AsyncResult(f): pending>"
    tasks.finish(good)
    tasks.fail(bad, remote())
    assert repr(first) == "<AsyncResult(f): finished>"
    assert repr(second) == "<AsyncResult(g): failed>"


def test_what_is_no_task_cannot_be_cancelled(tasks, one):
    task, ar = one
    assert not ar.cancel()
    tasks.finish(task, "a")
    assert ar.get(0) == "a"


# ---- failures


def test_the_failure_of_a_single_task_is_raised_as_it_is(tasks, one):
    task, ar = one
    error = remote()
    tasks.fail(task, error)
    for call in (ar.get, ar.result, lambda: ar.r, lambda: ar.get(return_exceptions=False)):
        with pytest.raises(RemoteError) as raised:
            call()
        assert raised.value is error
    assert ar.exception() is error
    assert ar.get(return_exceptions=True) is error


def test_failures_of_several_are_raised_as_one(tasks, three):
    made, ar = three
    tasks.finish(made[0], "a")
    tasks.fail(made[2], remote(2))
    tasks.fail(made[1], remote(1))
    with pytest.raises(CompositeError) as raised:
        ar.get()
    assert str(raised.value) == (
        "one or more exceptions raised in: f\n"
        "[1:apply]ZeroDivisionError: division by zero\n"
        "[2:apply]ZeroDivisionError: division by zero"
    )
    first, second, third = ar.get(return_exceptions=True)
    assert (first, repr(second), repr(third)) == ("a", repr(remote(1)), repr(remote(2)))


def test_failures_can_be_results_from_the_beginning(tasks):
    made = tasks.many(2)
    ar = AsyncResult(None, made, "f", return_exceptions=True)
    error = remote()
    tasks.finish(made[0], "a")
    tasks.fail(made[1], error)
    assert ar.get() == ar.result() == ["a", error]
    assert ar.exception() is None
    with pytest.raises(CompositeError):
        ar.get(return_exceptions=False)


@pytest.mark.parametrize("error", [EngineError("died"), TaskAborted("aborted")])
def test_dead_engines_and_aborted_tasks_are_failures(error, tasks, one, three):
    task, ar = one
    tasks.fail(task, error)
    with pytest.raises(type(error), match=str(error)):
        ar.get()
    made, ar = three
    finish_all(tasks, made[1:], "bc")
    tasks.fail(made[0], error)
    with pytest.raises(CompositeError, match=f"{type(error).__name__}: {error}"):
        ar.get()


def test_what_failed_here_is_raised_as_itself(tasks, three):
    made, ar = three
    tasks.fail(made[0], remote())
    tasks.finish(made[1])
    tasks.fail(made[2], ModuleNotFoundError("the result cannot be unpickled here"))
    with pytest.raises(ModuleNotFoundError, match="cannot be unpickled"):
        ar.get()


def test_an_exception_that_was_returned_is_a_result(tasks, three):
    value = ValueError("a value")
    made, several = three
    finish_all(tasks, made, ["a", value, "c"])
    assert several.get() == ["a", value, "c"]


def test_a_single_exception_that_was_returned_is_a_result(tasks, one):
    task, ar = one
    value = ValueError("a value")
    tasks.finish(task, value)
    assert ar.get() is value


def test_returning_an_exception_is_a_success(tasks, one):
    task, ar = one
    tasks.finish(task, ValueError("a value"))
    assert ar.successful()


def test_a_timeout_raised_by_the_task_is_not_taken_for_ours(tasks, one):
    task, ar = one
    tasks.fail(task, TimeoutError("its own"))
    assert ar.wait(0) is True
    with pytest.raises(TimeoutError, match="its own"):
        ar.get(0)


# ---- parts


def test_the_ids_of_the_messages(three):
    made, ar = three
    assert ar.msg_ids == [task.msg_id for task in made]


def test_results_by_engine(tasks, one, three):
    made, ar = three
    finish_all(tasks, made)
    assert ar.get_dict() == ar.result_dict == {0: "a", 1: "b", 2: "c"}
    task, single = one
    tasks.finish(task, [1, 2], engine_id=5)
    assert single.get_dict() == {5: [1, 2]}


def test_several_results_of_one_engine_make_no_dict(tasks, three):
    made, ar = three
    for task in made:
        tasks.finish(task, engine_id=4)
    with pytest.raises(ValueError, match="engine 4 has several results"):
        ar.get_dict()


def test_a_dict_too_is_not_there_in_time(three):
    with pytest.raises(TimeoutError):
        three[1].get_dict(0)


@pytest.mark.parametrize(
    ("key", "value"), [(0, "a"), (-1, "c"), (slice(1, None), ["b", "c"]), (slice(0, 0), [])]
)
def test_results_are_indexed(key, value, tasks, three):
    made, ar = three
    with pytest.raises(TimeoutError, match="not ready"):
        ar[key]
    finish_all(tasks, made)
    assert ar[key] == value


def test_an_index_goes_into_a_single_result(tasks, one):
    task, ar = one
    tasks.finish(task, "abc")
    assert (ar[0], ar[:]) == ("a", "abc")
    with pytest.raises(IndexError, match="string index"):
        ar[3]


@pytest.mark.parametrize("key", [1.5, None, (0, 1)])
def test_other_keys_are_type_errors(key, tasks, three):
    made, ar = three
    finish_all(tasks, made)
    with pytest.raises(TypeError, match="ints, slices and names"):
        ar[key]


# ---- iteration


def test_iteration_yields_each_result_as_soon_as_it_is_there(tasks, three):
    made, ar = three
    results = iter(ar)
    tasks.finish(made[0], "a")
    assert next(results) == "a"
    tasks.finish(made[2], "c")
    timer = threading.Timer(0.02, tasks.finish, (made[1], "b"))
    timer.start()
    assert list(results) == ["b", "c"]
    timer.join()


def test_iteration_raises_the_failure_it_comes_to(tasks, three):
    made, ar = three
    tasks.finish(made[0], "a")
    tasks.fail(made[1], remote(1))
    results = iter(ar)
    assert next(results) == "a"
    with pytest.raises(CompositeError, match=r"\n\[1:apply\]"):
        next(results)


def test_iteration_yields_failures_that_are_results(tasks):
    made = tasks.many(2)
    ar = AsyncResult(None, made, return_exceptions=True)
    error = remote()
    tasks.fail(made[0], error)
    tasks.finish(made[1], "b")
    assert list(ar) == [error, "b"]


def test_a_single_result_is_not_iterable(one):
    with pytest.raises(TypeError, match="AsyncResults with a single result are not iterable"):
        iter(one[1])


# ---- metadata


def test_metadata_is_there_without_waiting(tasks, one, three):
    task, ar = one
    assert ar.metadata is task.metadata
    assert (ar["msg_id"], ar.msg_id, ar.stdout) == (task.msg_id, task.msg_id, "")
    made, several = three
    assert several.metadata == [task.metadata for task in made]
    assert several.msg_id == several["msg_id"] == several.msg_ids
    assert several.engine_id == [None] * 3
    finish_all(tasks, made)
    assert several.engine_id == [0, 1, 2]


def test_what_is_not_known_at_all_is_an_error(one):
    _, ar = one
    with pytest.raises(KeyError, match="colour"):
        ar["colour"]
    with pytest.raises(AttributeError, match="'AsyncResult' object has no attribute 'colour'"):
        ar.colour
    assert not hasattr(ar, "__array__")


def test_metadata_is_completed_by_tab(one):
    assert {"stdout", "engine_id", "get", "wait_interactive"} <= set(dir(one[1]))


def test_output_is_waited_for_after_the_result(tasks, three):
    made, ar = three
    finish_all(tasks, made)
    assert ar.wait_for_output(0) is False
    for task in made:
        task.output_expected = 0
        task.check_output()
    assert ar.wait_for_output(0) is True
    assert ar.wait_for_output() is True


def test_output_is_not_complete_before_that_of_all_tasks_is(three):
    made, ar = three
    assert not any(task.output.done() for task in made)
    # complete by the numbers, and its future is about to be resolved
    made[0].output_expected = 0
    assert ar.wait_for_output(0) is False


# ---- numbers and time


def test_length_and_progress_count_tasks(tasks, three):
    made, ar = three
    counts = [(len(ar), ar.progress)]
    for task in made:
        tasks.finish(task)
        counts.append((len(ar), ar.progress))
    assert counts == [(3, 0), (3, 1), (3, 2), (3, 3)]


def test_length_and_progress_count_items_of_chunks(tasks):
    made = tasks.many(3)
    ar = AsyncMapResult(None, made, Block(), chunk_sizes=[4, 3, 3])
    assert (len(ar), ar.progress) == (10, 0)
    tasks.finish(made[1], [0] * 3)
    assert (len(ar), ar.progress) == (10, 3)
    tasks.finish(made[0], [0] * 4)
    assert ar.progress == 7


def test_wall_time_is_from_the_first_submission_to_the_last_result(tasks):
    early = tasks.make("2026-01-01T00:00:00Z")
    late = tasks.make("2026-01-01T00:00:02Z")
    ar = AsyncResult(None, [late, early])
    tasks.finish(early, began=1, ended=3, received=3.5)
    tasks.finish(late, began=3, ended=7.5, received=8)
    assert ar.wall_time == 8
    assert ar.serial_time == 2 + 4.5
    assert ar.elapsed == 8


@pytest.mark.parametrize("name", ["wall_time", "serial_time"])
def test_times_are_not_known_before_the_end(name, tasks, three):
    made, ar = three
    tasks.finish(made[0])
    with pytest.raises(TimeoutError, match="Result not ready"):
        getattr(ar, name)


def test_elapsed_runs_until_then(tasks):
    begun = (datetime.now(UTC) - timedelta(seconds=100)).isoformat()
    ar = AsyncResult(None, [tasks.make(), tasks.make(begun)])
    # of the two the earlier one counts
    first = datetime(2026, 1, 1, tzinfo=UTC)
    assert ar.elapsed == pytest.approx((datetime.now(UTC) - first).total_seconds(), abs=5)
    assert AsyncResult(None, tasks.make(begun)).elapsed == pytest.approx(100, abs=5)


def test_a_task_whose_engine_died_took_until_that_was_known(tasks, one):
    task, ar = one
    task.failed(datetime(2026, 1, 1, second=5, tzinfo=UTC).timestamp())
    task.set_exception(EngineError("died"))
    assert (ar.wall_time, ar.elapsed, ar.serial_time) == (5, 5, 0)
    assert ar.status == "error"


def test_a_task_that_never_began_took_no_time(tasks, one):
    task, ar = one
    tasks.fail(task, TaskAborted("aborted"), started="", received=2)
    assert (ar.serial_time, ar.wall_time) == (0, 2)


def test_time_between_moments_or_collections_of_them(one):
    _, ar = one
    moments = [datetime(2026, 1, 1, second=n, tzinfo=UTC) for n in (3, 1, 2)]
    assert ar.timedelta(moments[1], moments[0]) == 2
    assert ar.timedelta(moments, moments) == 2
    assert ar.timedelta(moments, moments, start_key=max, end_key=min) == -2
    assert ar.timedelta([None, *moments], moments[0]) == 2


def test_waiting_shows_a_bar(tasks, three, capsys):
    made, ar = three
    finish_all(tasks, made)
    assert ar.wait_interactive() is None
    assert "3/3" in capsys.readouterr().err


def test_waiting_with_a_bar_ends_in_time_without_raising(tasks, three, capsys):
    made, ar = three
    tasks.finish(made[0])
    assert ar.wait_interactive(interval=0.01, timeout=0.03) is None
    assert "1/3" in capsys.readouterr().err


# ---- maps


@pytest.mark.parametrize("partition", [Block(), RoundRobin()], ids=["block", "round robin"])
@pytest.mark.parametrize("make", [list, np.array])
def test_a_map_joins_the_chunks(partition, make, tasks):
    made = tasks.many(3)
    ar = AsyncMapResult(None, made, partition, "f")
    finish_all(tasks, made, partition.cut(make(range(10)), 3))
    assert list(ar.get()) == list(range(10))
    assert type(ar.get()) is type(make([]))


def test_a_map_with_one_task_is_a_list_all_the_same(tasks):
    made = tasks.many(1)
    ar = AsyncMapResult(None, made, Block())
    tasks.finish(made[0], [1, 2])
    assert (ar.get(), list(ar)) == ([1, 2], [1, 2])


def test_a_map_over_nothing_is_an_empty_list():
    assert AsyncMapResult(None, [], Block()).get() == []


def test_a_failed_map_raises_what_failed(tasks):
    made = tasks.many(2)
    ar = AsyncMapResult(None, made, Block(), "f")
    tasks.finish(made[0], [0, 1])
    tasks.fail(made[1], remote(1))
    with pytest.raises(CompositeError, match=r"raised in: f\n\[1:apply\]ZeroDivisionError"):
        ar.get()


@pytest.mark.parametrize("from_the_beginning", [True, False])
def test_in_a_map_a_failure_stands_for_its_chunk(from_the_beginning, tasks):
    made = tasks.many(3)
    ar = AsyncMapResult(None, made, Block(), return_exceptions=from_the_beginning)
    error = remote()
    tasks.finish(made[0], [0, 1])
    tasks.fail(made[1], error)
    tasks.finish(made[2], (4,))
    assert ar.get(return_exceptions=True) == [0, 1, error, 4]
    with pytest.raises(CompositeError):
        ar.get(return_exceptions=False)


def test_an_ordered_map_is_iterated_in_order(tasks):
    made = tasks.many(3)
    ar = AsyncMapResult(None, made, Block())
    items = iter(ar)
    tasks.finish(made[2], [4])
    tasks.finish(made[0], [0, 1])
    assert [next(items), next(items)] == [0, 1]
    tasks.finish(made[1], [2, 3])
    assert list(items) == [2, 3, 4]


def test_an_unordered_map_is_iterated_as_results_come(tasks):
    made = tasks.many(3)
    ar = AsyncMapResult(None, made, Block(), ordered=False)
    tasks.finish(made[2], [4])
    items = iter(ar)
    assert next(items) == 4
    tasks.finish(made[0], [0, 1])
    assert [next(items), next(items)] == [0, 1]
    tasks.finish(made[1], [2, 3])
    assert list(items) == [2, 3]
    assert ar.get() == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("ordered", [True, False])
def test_iterating_a_failed_map(ordered, tasks):
    made = tasks.many(1)
    error = remote()
    raising = AsyncMapResult(None, made, Block(), ordered=ordered)
    yielding = AsyncMapResult(None, made, Block(), ordered=ordered, return_exceptions=True)
    tasks.fail(made[0], error)
    assert list(yielding) == [error]
    with pytest.raises(RemoteError):
        list(raising)


# ---- as a future of concurrent.futures


def test_it_is_waited_for_among_other_futures(tasks):
    made = tasks.many(3)
    results = [AsyncResult(None, task) for task in made]
    tasks.finish(made[1], "b")
    done, pending = concurrent.futures.wait(results, 10, FIRST_COMPLETED)
    assert (done, pending) == ({results[1]}, {results[0], results[2]})
    tasks.fail(made[0], remote())
    done, pending = concurrent.futures.wait(results, 10, FIRST_EXCEPTION)
    assert (done, pending) == ({results[0], results[1]}, {results[2]})
    assert concurrent.futures.wait(results, 0).not_done == {results[2]}
    tasks.finish(made[2])
    assert concurrent.futures.wait(results, 10).not_done == set()
    assert set(as_completed(results, 10)) == set(results)


def test_callbacks_are_called_with_it(tasks, three):
    made, ar = three
    called = []
    ar.add_done_callback(called.append)
    finish_all(tasks, made)
    ar.add_done_callback(called.append)
    assert called == [ar, ar]


def test_it_can_be_awaited(tasks, one):
    import asyncio

    task, ar = one

    async def main():
        asyncio.get_running_loop().call_later(0.01, tasks.finish, task, "a")
        return await asyncio.wrap_future(ar)

    assert asyncio.run(main()) == "a"


def test_tasks_may_end_in_several_threads_at_once(tasks):
    made = tasks.many(64)
    ar = AsyncResult(None, made)
    barrier = threading.Barrier(4)

    def finish(part):
        barrier.wait(20)
        for task in part:
            tasks.finish(task, 1)

    threads = [threading.Thread(target=finish, args=(made[n::4],)) for n in range(4)]
    for thread in threads:
        thread.start()
    assert ar.get(20) == [1] * 64
    for thread in threads:
        thread.join()
