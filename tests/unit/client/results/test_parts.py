"""Results taken apart, joined, waited for in part, awaited, and let go of."""

import asyncio
import gc
import threading
import warnings
import weakref
from concurrent import futures

import pytest

from ipyparallel.client.display import waiting
from ipyparallel.client.partition import Block
from ipyparallel.client.results import AsyncMapResult, AsyncResult, as_completed, iteration
from ipyparallel.error import CompositeError, RemoteError, unwrap_exception

INFO = {"engine_uuid": "u", "engine_id": 0, "method": "apply"}


def remote(ename="ZeroDivisionError"):
    return unwrap_exception({"ename": ename, "evalue": "v", "engine_info": INFO})


@pytest.fixture
def three(tasks):
    made = tasks.many(3)
    return made, AsyncResult(None, made, "f")


# ---- in part


def test_it_is_split_into_the_results_of_single_messages(tasks, three):
    made, ar = three
    parts = ar.split()
    assert [part.msg_ids for part in parts] == [[task.msg_id] for task in made]
    tasks.finish(made[1], "b")
    assert [part.ready() for part in parts] == [False, True, False]
    assert parts[1].get() == "b"


def test_a_single_result_is_its_own_part(tasks):
    ar = AsyncResult(None, tasks.make())
    assert ar.split() == (ar,)


def test_the_parts_of_a_map_are_lists(tasks):
    made = tasks.many(2)
    ar = AsyncMapResult(None, made, Block(), "f")
    tasks.finish(made[0], [1])
    assert type(ar.split()[0]) is AsyncResult
    assert ar.split()[0].get() == [[1]]


def test_results_are_joined(tasks, three):
    made, ar = three
    single = tasks.make()
    joined = AsyncResult.join(ar, AsyncResult(None, single))
    assert joined.msg_ids == [task.msg_id for task in [*made, single]]
    for task, result in zip([*made, single], "abcd", strict=True):
        tasks.finish(task, result)
    assert joined.get(timeout=0) == list("abcd")


def test_what_was_split_can_be_joined(three):
    _, ar = three
    assert AsyncResult.join(*ar.split()).msg_ids == ar.msg_ids


def test_nothing_cannot_be_joined():
    with pytest.raises(ValueError, match="nothing to join"):
        AsyncResult.join()


# ---- waited for in part


def test_waiting_for_the_first_gives_what_has_ended_and_what_has_not(tasks, three):
    made, ar = three
    tasks.finish(made[1], "b")
    done, pending = ar.wait(return_when=futures.FIRST_COMPLETED)
    assert [part.get() for part in done] == ["b"]
    assert {part.msg_ids[0] for part in pending} == {made[0].msg_id, made[2].msg_id}


def test_waiting_for_the_first_failure(tasks, three):
    made, ar = three
    tasks.finish(made[0], "a")
    tasks.fail(made[2], remote())
    done, pending = ar.wait(return_when=futures.FIRST_EXCEPTION)
    assert {part.msg_ids[0] for part in done} == {made[0].msg_id, made[2].msg_id}
    assert len(pending) == 1


def test_waiting_for_all_is_over_in_time(tasks, three):
    made, ar = three
    tasks.finish(made[0], "a")
    done, pending = ar.wait(timeout=0.01, return_when=futures.ALL_COMPLETED)
    assert (len(done), len(pending)) == (1, 2)


def test_getting_can_raise_at_the_first_failure(tasks, three):
    made, ar = three
    tasks.fail(made[2], remote("ValueError"))
    with pytest.raises(CompositeError) as raised:
        ar.get(return_when=futures.FIRST_EXCEPTION)
    assert len(raised.value.exceptions) == 1
    assert not ar.ready()


def test_getting_without_a_failure_waits_for_all(tasks, three):
    made, ar = three
    tasks.finish(made[0], "a")
    with pytest.raises(TimeoutError):
        ar.get(timeout=0.01, return_when=futures.FIRST_EXCEPTION)
    tasks.finish(made[1], "b")
    tasks.finish(made[2], "c")
    assert ar.get(return_when=futures.FIRST_EXCEPTION) == ["a", "b", "c"]


def test_getting_the_first_is_getting_all_with_a_warning(tasks, three):
    made, ar = three
    for task in made:
        tasks.finish(task, 1)
    with pytest.warns(UserWarning, match="returns all"):
        assert ar.get(return_when=futures.FIRST_COMPLETED) == [1, 1, 1]


# ---- as they end


def test_results_are_yielded_as_they_end(tasks):
    made = tasks.many(3)
    results = [AsyncResult(None, task) for task in made]
    tasks.finish(made[2], 2)
    ended = iter(as_completed(results))
    assert next(ended) is results[2]
    tasks.fail(made[0], remote())
    assert next(ended) is results[0]
    tasks.finish(made[1], 1)
    assert next(ended) is results[1]
    assert next(ended, None) is None


def test_the_parts_of_one_result_are_yielded_as_they_end(tasks, three):
    made, ar = three
    for task in made:
        tasks.finish(task, task.msg_id)
    assert {part.get() for part in as_completed(ar)} == {task.msg_id for task in made}


def test_not_all_in_time_is_a_timeout(three):
    _, ar = three
    with pytest.raises(TimeoutError):
        list(as_completed([ar], timeout=0.01))


@pytest.mark.parametrize("results", [[3], ["an id"], [None]])
def test_other_things_do_not_end(results):
    with pytest.raises(TypeError, match="as_completed takes AsyncResults"):
        as_completed(results)


def test_they_are_yielded_to_an_event_loop_too(tasks):
    made = tasks.many(3)
    results = [AsyncResult(None, task) for task in made]

    async def main():
        order = []
        tasks.finish(made[1], 1)
        finisher = threading.Thread(target=lambda: [tasks.finish(made[i], i) for i in (2, 0)])
        async for result in as_completed(results):
            order.append(result.get())
            if len(order) == 1:
                finisher.start()
        finisher.join()
        return order

    assert sorted(asyncio.run(main())[1:]) == [0, 2]


def test_in_an_event_loop_there_is_a_timeout_too(three):
    _, ar = three

    async def main():
        async for _ in as_completed([ar], timeout=0.01):
            pass

    with pytest.raises(TimeoutError):
        asyncio.run(main())


# ---- awaited


def finish_later(tasks, made, results):
    thread = threading.Thread(
        target=lambda: [tasks.finish(*pair) for pair in zip(made, results, strict=True)]
    )
    asyncio.get_running_loop().call_soon(thread.start)
    return thread


def test_it_can_be_awaited_without_more_ado(tasks, three):
    made, ar = three

    async def main():
        finish_later(tasks, made, "abc")
        return await ar

    assert asyncio.run(main()) == list("abc")


@pytest.mark.parametrize("how", ["get", "await"])
def test_announced_output_is_waited_for_as_long_as_some_comes(tasks, how, monkeypatch):
    task = tasks.make()
    tasks.finish(task, "a")
    task.output_expected = 3
    ar = AsyncResult(None, task)

    def one_comes(*args, **kwargs):
        """Stands for a wait that is not long enough for all of it."""
        task.output_seen += 1
        task.check_output()

    async def one_comes_late(output):
        one_comes()
        raise TimeoutError

    async def main():
        return await ar

    monkeypatch.setattr(waiting, "wait", one_comes)
    if how == "get":
        assert ar.get() == "a"
    else:
        ended = iteration.ended
        late = {ar: ended, task.output: one_comes_late}
        monkeypatch.setattr(iteration, "ended", lambda future: late[future](future))
        assert asyncio.run(main()) == "a"
    assert task.output_done


def test_awaiting_raises_what_failed_and_leaves_nothing_behind(tasks, three, caplog):
    made, ar = three
    for task in made:
        tasks.fail(task, remote())

    async def main():
        with pytest.raises(CompositeError):
            await ar

    asyncio.run(main())
    gc.collect()
    assert caplog.records == []


def test_it_is_iterated_in_an_event_loop(tasks):
    made = tasks.many(2)
    ar = AsyncMapResult(None, made, Block(), "f")

    async def main():
        finish_later(tasks, made, [[1, 2], [3]])
        return [item async for item in ar]

    assert asyncio.run(main()) == [1, 2, 3]


def test_an_unordered_map_is_iterated_in_an_event_loop_as_results_come(tasks):
    made = tasks.many(2)
    ar = AsyncMapResult(None, made, Block(), "f", ordered=False)
    tasks.finish(made[1], [3])

    async def main():
        items = aiter(ar)
        first = await anext(items)
        tasks.finish(made[0], [1, 2])
        return [first, *[item async for item in items]]

    assert asyncio.run(main()) == [3, 1, 2]


def test_a_failed_map_raises_in_an_event_loop(tasks):
    made = tasks.many(2)
    ar = AsyncMapResult(None, made, Block(), "f")
    tasks.finish(made[0], [1])
    tasks.fail(made[1], remote("ValueError"))
    seen = []

    async def main():
        async for item in ar:
            seen.append(item)

    with pytest.raises(CompositeError):
        asyncio.run(main())
    assert seen == [1]


def test_a_single_result_is_not_iterated_there_either(tasks):
    with pytest.raises(TypeError, match="not iterable"):
        aiter(AsyncResult(None, tasks.make()))


# ---- let go of


class Large:
    """Something whose memory is missed."""


@pytest.mark.parametrize("kind", ["single", "several", "map"])
def test_a_result_that_is_dropped_is_gone_at_once(kind, tasks):
    made = tasks.many(2)
    if kind == "single":
        ar = AsyncResult(None, made[0])
        made = made[:1]
    elif kind == "several":
        ar = AsyncResult(None, made)
    else:
        ar = AsyncMapResult(None, made, Block())
    large = Large()
    gone = weakref.ref(large)
    for task in made:
        tasks.finish(task, [large])
    del large, task
    ar.get()
    gc.disable()  # it goes with the last reference, not with the next search for cycles
    try:
        made.clear()
        del ar
        assert gone() is None
    finally:
        gc.enable()


def test_a_callback_is_called_though_nobody_holds_the_result(tasks):
    task = tasks.make()
    called = []
    AsyncResult(None, task).add_done_callback(lambda ar: called.append(ar.result()))
    gc.collect()
    tasks.finish(task, 7)
    assert called == [7]


# ---- the rest


def test_whether_it_was_sent(tasks, three):
    _, ar = three
    assert ar.sent
    ar.wait_for_send()


def test_what_has_ended_cannot_be_aborted(tasks, three):
    made, ar = three
    for task in made:
        tasks.finish(task)
    with pytest.raises(RuntimeError, match="Cannot abort"):
        ar.abort()


def test_time_between_two_results(tasks):
    first, second = tasks.many(2)
    a, b = AsyncResult(None, first), AsyncResult(None, second)
    tasks.finish(first, received=1)
    tasks.finish(second, received=3)
    assert a.timedelta(a, b) == 3.0


def test_an_unknown_message_makes_no_result():
    with pytest.raises(KeyError, match="does not know a task 'x'"):
        AsyncResult(None, "x")


def test_the_first_exception_ends_the_bar(tasks, three, capsys):
    made, ar = three
    tasks.fail(made[0], remote())
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        ar.wait_interactive(return_when=futures.FIRST_EXCEPTION)
    assert "1/3" in capsys.readouterr().err


def test_a_remote_error_is_caught_by_its_own_type(tasks):
    task = tasks.make()
    ar = AsyncResult(None, task)
    tasks.fail(task, remote("KeyError"))
    with pytest.raises(KeyError) as raised:
        ar.get()
    assert isinstance(raised.value, RemoteError)
