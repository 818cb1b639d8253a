"""A call becomes frames and a call again; what cannot be pickled is named."""

import threading

import numpy as np
import pytest

from ipyparallel.serialize.apply import pack_call, unpack_call
from ipyparallel.serialize.functions import LoadedFunctions, PickledFunctions
from ipyparallel.serialize.pickler import serialize


def send(func, /, *args, **kwargs):
    content, buffers = pack_call(func, args, kwargs, PickledFunctions())
    *call, pack = unpack_call(content, buffers, LoadedFunctions())
    assert pack is serialize
    return call


def returns_arguments(*args, **kwargs):
    return args, kwargs


@pytest.mark.parametrize(
    ("args", "kwargs"),
    [
        ((), {}),
        ((1, "a", None, b"x"), {}),
        (([1, 2], {"a": {3}}), {}),
        ((), {"a": 1}),
        ((1,), {"func": 2, "args": 3}),
        ((b"x" * 10_000,), {}),
    ],
)
def test_function_and_arguments_arrive(args, kwargs):
    func, sent_args, sent_kwargs = send(returns_arguments, *args, **kwargs)
    assert func.__name__ == "returns_arguments"
    assert func(*sent_args, **sent_kwargs) == (args, kwargs)


def test_the_content_says_how_many_frames_the_function_has(sessions):
    it = sessions.define(
        "import numpy as np\ndef make(x):\n return lambda y: x + y\nit = make(np.ones(1000))"
    )
    y = np.ones(2000)[:1000]
    content, buffers = pack_call(it, (y,), {}, PickledFunctions())
    assert content == b'{"function_frames":2}'
    assert len(buffers) == 4
    func, args, kwargs, _ = unpack_call(content, buffers, LoadedFunctions())
    assert (func(*args, **kwargs) == 2).all()
    assert pack_call(len, ("a",), {}, PickledFunctions())[0] == b'{"function_frames":1}'


def test_arrays_among_the_arguments_are_not_copied():
    array, keyword = np.ones(1000), np.zeros(1000)
    _, args, kwargs = send(returns_arguments, array, 1, key=keyword)
    assert np.shares_memory(args[0], array)
    assert np.shares_memory(kwargs["key"], keyword)


def test_the_same_object_twice_is_the_same_object_twice():
    shared = [1]
    _, args, kwargs = send(returns_arguments, shared, shared, key=shared)
    assert args[0] is args[1]
    assert args[0] is kwargs["key"]


LOCK = threading.Lock()


@pytest.mark.parametrize(
    ("args", "kwargs", "named"),
    [
        ((LOCK,), {}, "argument 0 (a lock) for returns_arguments"),
        ((1, [0, LOCK]), {}, "argument 1[1] (a lock) for returns_arguments"),
        ((1,), {"key": {"a": [LOCK]}}, "argument 'key'['a'][0] (a lock) for returns_arguments"),
        ((1,), {"key": LOCK}, "argument 'key' (a lock) for returns_arguments"),
    ],
)
def test_an_argument_that_cannot_be_pickled_is_named(args, kwargs, named):
    with pytest.raises(TypeError) as raised:
        send(returns_arguments, *args, **kwargs)
    assert (
        str(raised.value)
        == f"cannot pickle {named}: TypeError: cannot pickle '_thread.lock' object"
    )
    assert isinstance(raised.value.__cause__, TypeError)


def test_a_function_that_cannot_be_pickled_is_named(sessions):
    it = sessions.define(
        "import threading\ndef make(lock):\n def f(): return lock\n return f\n"
        "it = make(threading.Lock())"
    )
    named = r"^cannot pickle the function make.<locals>.f's variable 'lock' \(a lock\): TypeError"
    with pytest.raises(TypeError, match=named):
        send(it)


def test_an_object_whose_pickling_fails_in_its_own_way_is_named():
    class Stubborn:
        def __reduce__(self):
            raise RuntimeError("not me")

    with pytest.raises(TypeError, match=r"argument 0 \(a Stubborn\) .*: RuntimeError: not me"):
        send(returns_arguments, Stubborn())


def test_what_was_called_is_named_though_it_has_no_name():
    import functools

    with pytest.raises(TypeError, match=r"for functools.partial\("):
        send(functools.partial(returns_arguments), LOCK)


@pytest.mark.parametrize(
    ("content", "frames", "told"),
    [
        (b"{}", 1, "without a function"),
        (b'{"function_frames":0}', 0, "without a function"),
        (b'{"function_frames":3}', 3, "a call of 3 frames, 3 of which for the function"),
        (b'{"function_frames":-1}', 3, "a call of 3 frames, -1 of which"),
        (b"[]", 3, "Expected `object`"),
    ],
)
def test_a_call_of_another_form_is_a_value_error(content, frames, told):
    with pytest.raises(ValueError, match=told):
        unpack_call(content, [b""] * frames, LoadedFunctions())
