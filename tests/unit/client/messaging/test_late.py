"""Calls whose arguments are results that are still to come."""

import sys

import pytest

from ipyparallel.client.results import AsyncResult
from ipyparallel.error import (
    ClientClosed,
    ControllerLost,
    ImpossibleDependency,
    MessageTooLarge,
    TaskCancelled,
)


@pytest.fixture
def call(bench):
    """Makes a balanced call; its result."""

    def call(func, *args, **options):
        return AsyncResult(None, bench.balanced(func, *args, **options), "f")

    return call


@pytest.fixture
def first(bench, call):
    """A result, and what was sent for it."""
    result = call(abs, 1)
    (sent,) = bench.wire.take()
    return result, sent


def same(*args):
    return args


def test_a_call_is_sent_when_its_argument_is_there(bench, call, first):
    result, sent = first
    later = call(same, result, [{"a": result}, 5])
    assert bench.wire.sent == []
    assert not later.done()
    assert later.msg_ids[0] in bench.messenger.tasks.pending
    assert later.msg_ids[0] in bench.messenger.history
    assert later.msg_ids[0] in bench.view.history
    bench.wire.succeed(sent, [7])
    bench.wire.run(bench.wire.take()[0])
    value, nested = later.get(0)
    assert (value, nested) == ([7], [{"a": [7]}, 5])
    assert nested[0]["a"] is value
    assert bench.messenger.late._tasks == {}


def test_what_is_there_is_sent_at_once(bench, call, first):
    result, sent = first
    bench.wire.succeed(sent, 7)
    later = call(same, result)
    bench.wire.run(bench.wire.take()[0])
    assert later.get(0) == (7,)


def test_all_of_several_are_waited_for(bench, call):
    results = [call(abs, i) for i in range(1000)]
    sent = bench.wire.take()
    later = call(sum, results)
    for i, message in enumerate(reversed(sent)):
        assert bench.wire.sent == []
        bench.wire.succeed(message, i)
    bench.wire.run(bench.wire.take()[0])
    assert later.get(0) == sum(range(1000))


def test_a_diamond(bench, call, first):
    result, sent = first
    left, right = call(same, result, "l"), call(same, result, "r")
    both = call(same, left, right)
    bench.wire.succeed(sent, 1)
    for message in bench.wire.take():
        bench.wire.run(message)
    bench.wire.run(bench.wire.take()[0])
    assert both.get(0) == ((1, "l"), (1, "r"))


def test_a_value_is_pickled_once_for_all_that_wait(bench, call, first):
    class Counted:
        times = 0

        def __reduce__(self):
            Counted.times += 1
            return str, ("value",)

    result = AsyncResult(None, [first[0]._children[0]], "f")
    result._join = lambda results: Counted()
    made = [call(same, result) for _ in range(5)]
    bench.wire.succeed(first[1], 1)
    assert len(bench.wire.sent) == 5
    assert Counted.times == 1
    assert len(bench.messenger.late._values) == 0
    made.append(call(same, result))
    assert Counted.times == 2  # it may have changed meanwhile


# ---- failures


@pytest.mark.parametrize("when", ["before", "after"])
def test_the_failure_of_an_argument_is_the_calls(bench, call, first, when):
    result, sent = first
    if when == "before":
        bench.wire.fail(sent, ValueError("wrong"))
    other = call(abs, 1)
    bench.wire.take()
    later = call(same, other, result)
    if when == "after":
        bench.wire.fail(sent, ValueError("wrong"))
    with pytest.raises(ImpossibleDependency, match=r"same was not called: .*wrong") as info:
        later.get(0)
    assert info.value.__cause__ is result.exception()
    assert bench.wire.sent == []
    assert later.msg_ids[0] not in bench.messenger.tasks.pending
    assert later.status == "error"


@pytest.mark.parametrize("fails", [False, True])
def test_a_chain_is_not_too_long(bench, call, first, fails):
    result, sent = first
    chain = [result]
    for _ in range(2 * sys.getrecursionlimit()):
        chain.append(call(same, chain[-1]))
    if not fails:
        chain[0].cancel()
        error = chain[-1].exception(0)
        assert isinstance(error.__cause__, TaskCancelled)
        return
    bench.wire.fail(sent, ValueError("wrong"))
    error = chain[-1].exception(0)
    assert isinstance(error, ImpossibleDependency)
    assert error.__cause__ is result.exception()
    assert len(str(error)) < 200


@pytest.fixture(autouse=True)
def _nobody_answers(bench):
    bench.wire.in_io_thread = True


def test_a_call_that_was_not_sent_is_cancelled_here(bench, call, first):
    result, sent = first
    later = call(same, result)
    last = call(same, later)
    assert later.cancel().waiting == tuple(later.msg_ids)
    assert later.cancelled()
    assert bench.wire.sent == []
    assert isinstance(last.exception(0), ImpossibleDependency)
    bench.wire.succeed(sent, 1)
    assert bench.wire.sent == []


def test_what_waits_fails_when_the_client_is_closed(bench, call, first):
    later = call(same, first[0])
    bench.messenger.close()
    assert isinstance(later.exception(0), ClientClosed)


def test_what_waits_fails_when_the_controller_is_lost(bench, call, first):
    later = call(same, first[0])
    bench.messenger._dispatcher.on_lost("gone")
    assert isinstance(later.exception(0), ControllerLost)


def test_a_value_that_cannot_be_sent_is_the_calls_failure(bench, call, first):
    result = AsyncResult(None, [first[0]._children[0]], "f")
    result._join = lambda results: [1, (i for i in range(3))]
    later = call(same, result)
    bench.wire.succeed(first[1], 1)
    with pytest.raises(
        TypeError, match=r"cannot pickle the result\[1\] \(a generator\).* for same"
    ):
        later.get(0)
    with pytest.raises(TypeError, match=r"cannot pickle the result\[1\]"):
        call(same, result)


def test_values_count_for_the_size_of_a_call(bench, call, first):
    result, sent = first
    bench.messenger.max_message_size = 10_000
    later = call(same, result)
    bench.wire.succeed(sent, b"x" * 20_000)
    with pytest.raises(MessageTooLarge, match="the call of same has 20"):
        later.get(0)
    with pytest.raises(MessageTooLarge):
        call(same, result)


# ---- what else depends on it


def after(result):
    return b'{"after":["%s"]}' % result.msg_ids[0].encode()


def test_who_comes_after_a_call_is_not_sent_before_it(bench, call, first):
    result, sent = first
    later = call(same, result)
    last = call(abs, -3, metadata=after(later))
    assert bench.wire.sent == []
    bench.wire.succeed(sent, 1)
    bench.wire.run(bench.wire.take()[0])
    (message,) = bench.wire.take()
    assert message.message.metadata() == {"after": later.msg_ids}
    bench.wire.run(message)
    assert last.get(0) == 3


def test_who_comes_after_a_call_that_failed_is_the_schedulers_affair(bench, call, first):
    later = call(same, first[0])
    call(abs, -3, metadata=after(later))
    bench.wire.succeed(first[1], 1)
    bench.wire.fail(bench.wire.take()[0], ValueError())
    assert len(bench.wire.sent) == 1


def test_who_comes_after_a_call_that_was_never_sent_fails(bench, call, first):
    later = call(same, first[0])
    last = call(abs, -3, metadata=after(later))
    later.cancel()
    assert isinstance(last.exception(0), ImpossibleDependency)
    assert bench.wire.sent == []


# ---- memory


def test_a_result_keeps_nothing_of_the_calls_that_waited_for_it(bench, call, first):
    import gc
    import weakref

    result, sent = first
    task = weakref.ref(call(same, result)._children[0])
    bench.wire.succeed(sent, 1)
    bench.wire.run(bench.wire.take()[0])
    gc.collect()
    assert task() is None
    assert result.get() == 1
