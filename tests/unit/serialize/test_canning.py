"""The published form within one process; tests/interop has it between the packages."""

import functools
import logging
import pickle

import numpy as np
import pytest

from ipyparallel.serialize import can, can_map, uncan, uncan_map
from ipyparallel.serialize.canning import CannedBytes, CannedObject, Reference
from ipyparallel.serialize.codeutil import code_ctor, reduce_code
from ipyparallel.serialize.pickler import deserialize, serialize, use_dill
from ipyparallel.serialize.serialize import (
    PrePickled,
    deserialize_object,
    pack_apply_message,
    serialize_object,
    unpack_apply_message,
)


def there_and_back(obj, g=None):
    obj, left = deserialize_object([bytes(frame) for frame in serialize_object(obj)], g)
    assert left == []
    return obj


def test_functions_get_the_globals_they_are_given(sessions):
    it = sessions.define("it = lambda x: a + x")
    namespace = {"a": 5}
    assert there_and_back(it, namespace)(1) == 6
    assert there_and_back([it], namespace)[0](1) == 6


def test_functions_of_modules_get_those_of_their_module():
    assert there_and_back(there_and_back).__globals__ is globals()


def test_references_are_looked_up_in_the_namespace():
    namespace = {"a": [1]}
    assert there_and_back(Reference("a"), namespace) is namespace["a"]


@pytest.mark.parametrize(
    "array",
    [
        np.arange(1000.0),
        np.array(["2020-01-01"], "M8[D]"),
        np.zeros(3, np.dtype([("a", "i1"), ("b", "i4")], align=True)),
        np.ma.masked_array([1, 2], [True, False]),
    ],
)
def test_arrays_that_the_published_form_has_trouble_with(array):
    loaded = there_and_back(array)
    assert loaded.dtype == array.dtype
    assert type(loaded) is type(array)
    assert (loaded == array).all()


def test_large_buffers_are_not_copied():
    array = np.arange(1000.0)
    frames = serialize_object(array)
    assert np.shares_memory(np.frombuffer(frames[1]), array)
    loaded, _ = deserialize_object(frames)
    assert np.shares_memory(loaded, array)
    received = bytes(frames[1])
    loaded, _ = deserialize_object([frames[0], received])
    assert np.shares_memory(loaded, np.frombuffer(received))
    assert not loaded.flags.writeable


@pytest.mark.parametrize(("nbytes", "frames"), [(1024, 1), (1025, 2)])
def test_the_threshold_of_buffers(nbytes, frames):
    assert len(serialize_object(b"x" * nbytes)) == frames
    assert len(serialize_object(b"x" * nbytes, buffer_threshold=nbytes)) == 1


def test_the_threshold_of_items():
    assert len(serialize_object([b"x" * 2000] * 3)) == 4
    assert len(serialize_object([b"x" * 2000] * 3, item_threshold=3)) == 1


def test_a_call():
    array = np.arange(1000.0)
    frames = pack_apply_message(max, (1, [array], array), {"z": b"x" * 5000, "key": abs})
    func, args, kwargs = unpack_apply_message(frames)
    assert func is max
    assert args[0] == 1
    assert np.shares_memory(args[1][0], array)
    assert kwargs == {"z": b"x" * 5000, "key": abs}


def test_what_was_pickled_before_is_sent_in_the_published_form():
    frames = pack_apply_message(PrePickled(lambda x: x), (PrePickled([1, abs]),), {})
    func, args, _ = unpack_apply_message(frames)
    assert (func(3), args) == (3, ([1, abs],))
    assert b"pickler" not in frames[0]


def test_code_of_another_python_is_refused():
    name, parts = reduce_code(test_a_call.__code__)
    assert name(*parts) == test_a_call.__code__
    with pytest.raises(TypeError, match="same minor version of Python"):
        code_ctor(*parts[:10])


def test_code_is_not_picklable_for_others():
    with pytest.raises(TypeError, match="cannot pickle code objects"):
        pickle.dumps(test_a_call.__code__)


# ---- types of users


class Money:
    def __init__(self, amount):
        self.amount = amount

    def __reduce__(self):
        raise AssertionError("it is canned")


class Purse(Money):
    pass


class CannedMoney(CannedObject):
    def __init__(self, money):
        self.amount = money.amount
        self.buffers = []

    def get_object(self, g=None):
        return Money(self.amount)


@pytest.fixture(params=["cloudpickle", "dill", "published"])
def send(request):
    if request.param == "published":
        return there_and_back
    if request.param == "dill":
        use_dill()
    return lambda obj: deserialize(serialize(obj))


def test_users_say_how_their_types_travel(send):
    can_map[Money] = CannedMoney
    assert send(Money(3)).amount == 3
    assert [money.amount for money in send([Money(1), Money(2)])] == [1, 2]


def test_exactly_that_type(send):
    can_map[Money] = CannedMoney
    with pytest.raises(AssertionError, match="it is canned"):
        send(Purse(3))


def test_types_may_be_named(send):
    can_map[f"{__name__}.Money"] = CannedMoney
    assert send(Money(3)).amount == 3
    assert Money in can_map


def test_a_canner_may_be_a_function(send):
    can_map[Money] = lambda money: CannedBytes(b"x" * money.amount)
    assert send(Money(3)) == b"xxx"
    large = send(Money(5000))
    assert large == b"x" * 5000


def test_what_is_made_of_a_can_is_the_users_business(send, monkeypatch):
    class Plain:
        pass

    monkeypatch.setitem(can_map, Money, lambda money: ("money", money.amount))
    assert send(Money(3)) == ("money", 3)
    assert uncan(can(Plain)) is Plain


def test_canners_of_ours_may_be_replaced(send):
    calls = []

    def canner(partial):
        calls.append(partial)
        return ("partial", partial.args)

    can_map[functools.partial] = canner
    assert send(functools.partial(abs, 3)) == ("partial", (3,))
    assert len(calls) == 1


def test_it_ends_when_the_canner_is_removed():
    can_map[Money] = CannedMoney
    del can_map[Money]
    with pytest.raises(AssertionError, match="it is canned"):
        serialize(Money(3))


def test_how_cans_are_opened_is_for_the_user_to_say_too(send, monkeypatch):
    class Can:
        pass

    can_map[Money] = lambda money: (Can, money.amount)
    monkeypatch.setitem(uncan_map, tuple, lambda obj, g: Money(obj[1]))
    if send is not there_and_back:
        assert send(Money(3)).amount == 3


def test_a_name_that_cannot_be_imported_is_dropped_and_said(caplog):
    can_map["no_such_module.Type"] = CannedMoney
    can_map["json.NoSuchType"] = CannedMoney
    with caplog.at_level(logging.ERROR):
        serialize([Money, np.arange(3)])
        can(3)
    assert "no_such_module.Type" not in can_map
    assert "json.NoSuchType" not in can_map
    assert sorted(record.args[0] for record in caplog.records) == [
        "json.NoSuchType",
        "no_such_module.Type",
    ]


def test_a_name_of_what_is_not_imported_waits(monkeypatch, tmp_path):
    (tmp_path / "imported_later.py").write_text("class Late:\n n = 3")
    monkeypatch.syspath_prepend(str(tmp_path))
    can_map["imported_later.Late"] = lambda late: ("late", late.n)
    serialize(Reference)
    assert "imported_later.Late" in can_map
    import imported_later

    assert deserialize(serialize(imported_later.Late())) == ("late", 3)
    del can_map[imported_later.Late]
