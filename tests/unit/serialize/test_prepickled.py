"""An object that was pickled before is sent as it was then, and its buffers uncopied."""

import pickle

import numpy as np
import pytest

from ipyparallel.serialize.apply import pack_call, unpack_call
from ipyparallel.serialize.functions import LoadedFunctions, PickledFunctions
from ipyparallel.serialize.pickler import deserialize, serialize
from ipyparallel.serialize.prepickled import PrePickled


class Counted:
    """Counts how often it is pickled."""

    times = 0

    def __reduce__(self):
        Counted.times += 1
        return Counted, ()


def test_it_is_pickled_once():
    Counted.times = 0
    pre = PrePickled([Counted()])
    for _ in range(3):
        (arrived,) = deserialize(serialize(pre))
        assert type(arrived) is Counted
    assert Counted.times == 1


def test_it_is_sent_as_it_was():
    value = [1]
    pre = PrePickled(value)
    value.append(2)
    assert deserialize(serialize({"a": [pre]})) == {"a": [[1]]}
    assert pre.load() == [1]


@pytest.mark.parametrize("wrap", [lambda x: x, lambda x: [{"a": x}]])
def test_its_buffers_are_not_copied(wrap):
    array = np.arange(1000.0)
    pre = PrePickled(array)
    assert len(pre.buffers) == 2
    frames = serialize(wrap(pre))
    assert np.shares_memory(np.frombuffer(frames[-1]), array)
    assert sum(memoryview(frame).nbytes for frame in frames[:-1]) < 1000


def test_a_large_pickle_travels_out_of_band():
    pre = PrePickled(list(range(10_000)))
    _, sent = serialize([pre])
    assert memoryview(sent).obj is pre.buffers[0]


def test_as_the_function_its_frames_are_those_of_the_call():
    pre = PrePickled(lambda x: x + 1)
    content, buffers = pack_call(pre, (PrePickled(2),), {"y": PrePickled(3)}, PickledFunctions())
    assert buffers[0] is pre.buffers[0]
    func, args, kwargs, _ = unpack_call(content, buffers, LoadedFunctions())
    assert (func(1), args, kwargs) == (2, (2,), {"y": 3})


def test_any_pickle_of_it_is_the_object():
    pre = PrePickled(np.arange(1000.0))
    for protocol in (2, 4, 5):
        assert pickle.loads(pickle.dumps(pre, protocol)).sum() == 499500


def test_what_cannot_be_pickled_fails_at_once():
    with pytest.raises(TypeError, match="cannot pickle 'generator'"):
        PrePickled(i for i in ())
