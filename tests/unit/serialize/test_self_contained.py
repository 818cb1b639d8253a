"""Functions that bring their globals, as joblib's users expect."""

import linecache
import types

import numpy as np
import pytest

from ipyparallel.serialize.pickler import deserialize, serialize
from ipyparallel.serialize.self_contained import SelfContained


@pytest.fixture
def script():
    """The names of a script."""
    module = types.ModuleType("__main__")
    source = (
        "FACTOR = 3\ndef helper(x):\n    return FACTOR * x\ndef f(x):\n    return helper(x) + 1\n"
    )
    filename = "<ipython-input-of-a-test>"
    linecache.cache[filename] = (len(source), None, source.splitlines(True), filename)
    exec(compile(source, filename, "exec"), module.__dict__)
    yield module
    linecache.cache.pop(filename, None)


def arrived(obj):
    return deserialize(serialize(obj))


def test_globals_come_along(script):
    assert arrived(SelfContained(script.f))(2) == 7


def test_only_here(script):
    with pytest.raises(NameError, match="helper"):
        arrived(script.f)(2)


def test_so_do_those_of_functions_inside(script):
    (func,) = arrived([SelfContained({"a": [script.f]})])[0]["a"]
    assert func(0) == 1


def test_typed_lines_come_along(script):
    sent = serialize(SelfContained(script.f))
    del linecache.cache["<ipython-input-of-a-test>"]
    func = deserialize(sent)
    assert linecache.getline("<ipython-input-of-a-test>", 5) == "    return helper(x) + 1\n"
    assert func(1) == 4


def test_large_arrays_are_not_copied():
    array = np.arange(10_000)
    frames = serialize(SelfContained([array]))
    assert any(np.shares_memory(np.frombuffer(frame, "u1"), array) for frame in frames[1:])
    assert (arrived(SelfContained([array]))[0] == array).all()
