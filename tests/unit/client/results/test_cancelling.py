"""Results whose tasks are cancelled: all, or some of them."""

import asyncio
import concurrent.futures
from concurrent.futures import CancelledError

import pytest

from ipyparallel.client.partition import Block
from ipyparallel.client.results import AsyncMapResult, AsyncResult, as_completed
from ipyparallel.error import CompositeError, TaskAborted, TaskCancelled


@pytest.fixture
def bench(bench):
    """Nobody answers: what is cancelled is so at once."""
    bench.wire.in_io_thread = True
    return bench


@pytest.fixture
def one(bench):
    return AsyncResult(None, bench.balanced(), "f")


@pytest.fixture
def three(bench):
    """Of three tasks, the first of which has ended."""
    bench.wire.take()
    made = [bench.balanced() for _ in range(3)]
    bench.wire.succeed(bench.wire.take()[0], 1)
    return AsyncResult(None, made, "f")


def test_a_result_is_cancelled(one):
    assert one.cancel() == True  # noqa: E712
    assert one.cancelled()
    assert one.done()
    assert one.wait(0)
    assert repr(one) == "<AsyncResult(f): cancelled>"
    assert not one.successful()
    for raises in (one.get, one.result, one.exception, lambda: one.r, lambda: one[0]):
        with pytest.raises(TaskCancelled, match=one.msg_ids[0]) as info:
            raises()
        assert isinstance(info.value, CancelledError)
        assert isinstance(info.value, TaskAborted)
    assert one.cancel() == True  # noqa: E712


def test_what_has_ended_is_not_cancelled(bench, one):
    bench.wire.succeed(bench.wire.take()[0], 5)
    assert one.cancel() == False  # noqa: E712
    assert not one.cancelled()
    assert one.get() == 5


def test_of_several_those_that_have_ended_keep_their_results(three):
    done = three.cancel()
    assert (done.finished, done.waiting) == ((three.msg_ids[0],), tuple(three.msg_ids[1:]))
    assert three.cancelled()
    with pytest.raises(TaskCancelled, match="2 of 3 tasks of f were cancelled"):
        three.get()
    with pytest.raises(TaskCancelled):
        three.get(return_exceptions=False)
    first, *others = three.get(return_exceptions=True)
    assert first == 1
    assert [type(other) for other in others] == [TaskCancelled] * 2
    items = iter(three)
    assert next(items) == 1
    with pytest.raises(TaskCancelled):
        next(items)
    assert three.progress == 3


def test_failures_may_be_results(bench):
    made = [bench.balanced() for _ in range(2)]
    bench.wire.succeed(bench.wire.take()[0], 1)
    ar = AsyncResult(None, made, "f", return_exceptions=True)
    ar.cancel()
    assert ar.cancelled()
    first, second = ar.get()
    assert (first, type(second)) == (1, TaskCancelled)
    assert [type(item) for item in ar] == [int, TaskCancelled]


@pytest.mark.parametrize("ordered", [True, False])
def test_a_map_gives_what_has_ended(bench, ordered):
    made = [bench.balanced() for _ in range(2)]
    bench.wire.succeed(bench.wire.take()[1], [3, 4])
    ar = AsyncMapResult(None, made, Block(), "f", ordered, True, chunk_sizes=[2, 2])
    ar.cancel()
    assert [i for i in ar if not isinstance(i, TaskCancelled)] == [3, 4]
    assert ar.get()[1:] == [3, 4]
    assert {part.cancelled() for part in as_completed(ar)} == {True, False}


def test_a_task_alone_cancels_the_result_it_belongs_to(three):
    part = three.split()[1]
    part.cancel()
    assert part.cancelled()
    assert not three.done()
    three._children[2].cancel()
    assert three.cancelled()


def test_a_result_that_is_on_its_way_is_waited_for(bench):
    made = [bench.balanced(), bench.balanced()]
    first, _ = bench.wire.take()
    ar = AsyncResult(None, made, "f")
    made[1].cancel()
    assert not ar.done()
    ar._note_cancelled()
    assert ar.cancelled()
    bench.wire.succeed(first, 1)
    assert ar.get(return_exceptions=True)[0] == 1
    assert ar.cancelled()


def test_aborted_results_raise(bench):
    ar = AsyncResult(None, [bench.balanced(), bench.balanced()], "f")
    assert ar.abort().waiting == tuple(ar.msg_ids)
    assert not ar.cancelled()
    with pytest.raises(CompositeError, match="TaskAborted"):
        ar.get()
    with pytest.raises(RuntimeError, match="Cannot abort"):
        ar.abort()
    assert ar.cancel() == False  # noqa: E712


def test_an_aborted_task_raises_what_it_is(one):
    assert one.abort() == True  # noqa: E712
    with pytest.raises(TaskAborted) as info:
        one.get()
    assert not isinstance(info.value, CancelledError)


# ---- with others


def test_others_wait_for_it(one, three):
    three.cancel()
    assert concurrent.futures.wait([one, three], 0).done == {three}
    one.cancel()
    assert set(concurrent.futures.as_completed([one, three], 1)) == {one, three}
    one.wait_interactive()
    done, pending = three.wait(0, return_when=concurrent.futures.FIRST_EXCEPTION)
    assert (len(done), pending) == (3, set())


def test_a_callback_may_cancel_others(bench):
    first, second = (AsyncResult(None, bench.balanced(), "f") for _ in range(2))
    first.add_done_callback(lambda _: second.cancel())
    bench.wire.succeed(bench.wire.take()[0], 1)
    assert second.cancelled()


@pytest.mark.parametrize("of", ["one", "three"])
def test_a_cancelled_await_cancels_the_tasks(of, request):
    ar = request.getfixturevalue(of)

    async def main():
        async def wait():
            return await ar

        task = asyncio.create_task(wait())
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())
    assert ar.cancelled()


def test_a_timeout_of_an_await_cancels_the_tasks(one):
    async def main():
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(one, 0.01)

    asyncio.run(main())
    assert one.cancelled()


def test_awaiting_what_is_cancelled_raises(one):
    one.cancel()

    async def main():
        with pytest.raises(TaskCancelled):
            await one
        with pytest.raises(asyncio.CancelledError):
            await asyncio.wrap_future(one)

    asyncio.run(main())


def test_asyncio_cancels_it(one):
    async def main():
        future = asyncio.wrap_future(one)
        future.cancel()
        await asyncio.wait([future])

    asyncio.run(main())
    assert one.cancelled()


# ---- shown


def test_what_was_cancelled_is_displayed(three, capsys):
    three.cancel()
    three.display_outputs()
    with three.stream_output():
        pass
    assert three.wait_for_output(1)
    assert three.wall_time >= 0
    assert three.serial_time == 0
    assert three.metadata[1]["status"] == "aborted"
    assert three.status == ["ok", "aborted", "aborted"]
