"""Modules that the engine does not have travel by value, and no others."""

import pickle
import sys
import types

import cloudpickle
import pytest

from ipyparallel.serialize.by_value import is_sent_by_value, send_by_value
from ipyparallel.serialize.pickler import deserialize, serialize, use_dill

SOURCE = """
import dataclasses, enum, functools
LIMIT = 10
def inner(x): return x + LIMIT
def work(x): return inner(x) * 2
def fact(n): return 1 if n < 2 else n * fact(n - 1)
@functools.lru_cache
def cached(x): return inner(x)
def closed(y): return lambda x: inner(x) + y
@dataclasses.dataclass
class Point:
    x: int = 1
    def norm(self): return inner(self.x)
    @classmethod
    def at(cls, x): return cls(x)
    @staticmethod
    def half(x): return inner(x) / 2
    @property
    def limit(self): return LIMIT
class Sub(Point):
    def norm(self): return super().norm() + 1
class Colour(enum.Enum):
    RED = 1
class Node:
    def __init__(self): self.me = self
    def kind(self): return Node
Node.first = Node()
"""

USES = {
    "a function": ("m.work", lambda it: it(1), 22),
    "one that calls itself": ("m.fact", lambda it: it(5), 120),
    "a cached one": ("m.cached", lambda it: it(1), 11),
    "a closure": ("m.closed(5)", lambda it: it(1), 16),
    "a class": ("m.Point", lambda it: it(2).norm(), 12),
    "an instance": (
        "m.Point(3)",
        lambda it: (it.norm(), it.limit, repr(it)),
        (13, 10, "Point(x=3)"),
    ),
    "a subclass": ("m.Sub(3)", lambda it: (it.norm(), it == type(it)(3)), (14, True)),
    "a method": ("m.Sub(3).norm", lambda it: it(), 14),
    "a class method": ("m.Sub.at", lambda it: it(3).norm(), 14),
    "a static method": ("m.Sub.half", lambda it: it(2), 6),
    "an enum": ("m.Colour.RED", lambda it: (it.name, type(it).__name__), ("RED", "Colour")),
    "a class that refers to itself": (
        "m.Node",
        lambda it: (it.first.kind() is it, it.first.me is it.first),
        (True, True),
    ),
    "the module": ("m", lambda it: (it.work(1), it.Sub(3).norm(), it.__name__), (22, 14, "beside")),
    "a list of these": ("[m.work, m.Point(1)]", lambda it: (it[0](1), it[1].norm()), (22, 11)),
}


@pytest.mark.parametrize("pickler", ["cloudpickle", "dill"])
@pytest.mark.parametrize(("expression", "use", "expected"), USES.values(), ids=USES.keys())
def test_what_is_in_the_module_arrives(expression, use, expected, pickler, beside, sessions):
    m = beside.load("beside", SOURCE)
    send_by_value(m)
    if pickler == "dill":
        use_dill()
    frames = [bytes(frame) for frame in serialize(eval(expression))]
    beside.forget()
    sessions.at_engine()
    assert use(deserialize(frames)) == expected
    assert "beside" not in sys.modules


def test_submodules_are_included(beside, sessions):
    beside.write("pkg/__init__", "from . import sub\ndef top(x): return sub.go(x) + 1")
    m = beside.load("pkg/sub", "import pkg\nNAME = 'sub'\ndef go(x): return x + len(pkg.sub.NAME)")
    assert m.__name__ == "pkg.sub"
    send_by_value("pkg")
    frames = [serialize(sys.modules["pkg"].top), serialize(m.go)]
    beside.forget()
    sessions.at_engine()
    assert [deserialize(sent)(1) for sent in frames] == [5, 4]


def test_an_object_that_comes_back_is_of_the_class_that_was_sent(beside):
    m = beside.load("beside", SOURCE)
    send_by_value(m)
    assert type(deserialize(serialize(m.Point(3)))) is m.Point


def test_without_it_and_after_it_names_are_sent(beside):
    m = beside.load("beside", SOURCE)
    assert deserialize(serialize(m.work)) is m.work
    send_by_value(m)
    assert deserialize(serialize(m.work)) is not m.work
    send_by_value("beside", False)
    assert deserialize(serialize(m.work)) is m.work
    assert deserialize(serialize(m)) is m
    send_by_value(m, False)  # again: nothing to do


def test_modules_of_similar_names_are_not_included(beside):
    beside.load("pkg/__init__", "")
    send_by_value("pkg")
    told = {name: is_sent_by_value(name) for name in ("pkg", "pkg.a.b", "pkgs", "p", "", None)}
    assert told == {"pkg": True, "pkg.a.b": True, "pkgs": False, "p": False, "": False, None: False}


def test_others_pickle_as_ever(beside):
    m = beside.load("beside", SOURCE)
    send_by_value(m)
    assert pickle.loads(cloudpickle.dumps(m.work)) is m.work
    assert cloudpickle.list_registry_pickle_by_value() == set()


def test_what_was_registered_with_cloudpickle_counts(beside, sessions):
    m = beside.load("beside", SOURCE)
    cloudpickle.register_pickle_by_value(m)
    try:
        frames = serialize(m.work)
    finally:
        cloudpickle.unregister_pickle_by_value(m)
    beside.forget()
    sessions.at_engine()
    assert deserialize(frames)(1) == 22


@pytest.mark.parametrize("name", ["no_such_module", "no_such.module", "", "json.no_such"])
def test_a_module_that_is_not_there_is_an_error(name):
    with pytest.raises(ModuleNotFoundError, match="there is no module"):
        send_by_value(name)


def test_a_module_made_by_hand_will_do(monkeypatch):
    module = types.ModuleType("made")
    monkeypatch.setitem(sys.modules, "made", module)
    exec("def f(): return 3", module.__dict__)
    send_by_value("made")
    frames = serialize(module.f)
    monkeypatch.delitem(sys.modules, "made")
    assert deserialize(frames)() == 3


@pytest.mark.parametrize("module", [3, None, ["json"], len])
def test_something_else_is_a_type_error(module):
    with pytest.raises(TypeError, match="a module or its name"):
        send_by_value(module)
