"""Results among the arguments of a call: placeholders, then their values."""

from concurrent.futures import Future

import numpy as np
import pytest

from ipyparallel.serialize.apply import add_values, pack_call, unpack_call
from ipyparallel.serialize.functions import LoadedFunctions, PickledFunctions
from ipyparallel.serialize.later import UnexpectedResult, here, reduce_result
from ipyparallel.serialize.pickler import serialize
from ipyparallel.serialize.prepickled import PrePickled


class Result(Future):
    def __reduce__(self):
        return reduce_result(self)


def result(value):
    future = Result()
    future.set_result(value)
    return future


def returns_arguments(*args, **kwargs):
    return args, kwargs


def pack(*args, **kwargs):
    results = []
    packed = pack_call(returns_arguments, args, kwargs, PickledFunctions(), results)
    values = [serialize(future.result()) for future in results]
    return add_values(*packed, values) if values else packed


def send(*args, **kwargs):
    func, args, kwargs, packer = unpack_call(*pack(*args, **kwargs), LoadedFunctions())
    assert packer is serialize
    return func(*args, **kwargs)


def test_values_arrive_where_results_were():
    first, second = result([1]), result("two")
    args, kwargs = send(first, {"a": [second, first]}, 3, b=(second,))
    assert args == ([1], {"a": ["two", [1]]}, 3)
    assert kwargs == {"b": ("two",)}
    assert args[0] is args[1]["a"][1]


def test_large_values_have_frames_of_their_own():
    array = np.arange(10_000)
    (sent, other), _ = send(result(array), [result({"x": array}), array])
    assert np.array_equal(sent, array)
    assert np.array_equal(other[0]["x"], array)
    assert np.array_equal(other[1], array)


def test_a_call_without_results_is_as_ever():
    for args in ((), (1,), ([1],)):
        results = []
        functions = PickledFunctions()
        packed = pack_call(returns_arguments, args, {}, functions, results)
        assert results == []
        assert packed == pack_call(returns_arguments, args, {}, functions)


def test_a_result_is_not_sent_anywhere_else():
    future = result(1)
    closure = lambda: future  # noqa: E731
    for call in (
        lambda: pack_call(returns_arguments, (future,), {}, PickledFunctions()),
        lambda: pack_call(closure, (), {}, PickledFunctions(), []),
        lambda: PrePickled([future]),
        lambda: serialize(future),
    ):
        with pytest.raises(UnexpectedResult, match="send its value instead"):
            call()


def test_nothing_is_left_behind():
    with pytest.raises(TypeError, match="generator"):
        pack_call(returns_arguments, ((i for i in "a"), result(1)), {}, PickledFunctions(), [])
    assert here.results is None
    send(result(1))
    assert (here.results, here.values) == (None, ())


@pytest.mark.parametrize("counts", ["[9]", "[0]", "[-1]", "[1,1,1]"])
def test_numbers_of_frames_that_cannot_be_are_refused(counts):
    content, buffers = pack(result(1))
    content = content.replace(b"[1]", counts.encode())
    with pytest.raises(ValueError, match="frames"):
        unpack_call(content, buffers, LoadedFunctions())
