"""A function is remembered only while nothing that its pickle depends on can change."""

import gc
import sys
import types

import pytest

from ipyparallel.serialize import functions
from ipyparallel.serialize.calls import MapCall
from ipyparallel.serialize.functions import LIMIT, LoadedFunctions, PickledFunctions
from ipyparallel.serialize.pickler import deserialize


@pytest.fixture
def pickled():
    return PickledFunctions()


@pytest.fixture
def loaded():
    return LoadedFunctions()


REMEMBERED = {
    "a lambda": "it = lambda x: x",
    "one that uses globals": "it = lambda x: a + x",
    "plain defaults": "def it(x=1, y='a', *, z=None, w=b'x'): pass",
    "a plain closure": "def make(n):\n return lambda: n\nit = make(3)",
    "a map": "from ipyparallel.serialize.calls import MapCall\nit = MapCall(lambda x: x)",
}

NOT_REMEMBERED = {
    "a list as default": "def it(x=[]): return x",
    "a list as keyword default": "def it(*, x=[]): return x",
    "a list in a closure": "def make(n):\n return lambda: n\nit = make([])",
    "a function in a closure": "def make(n):\n return lambda: n\nit = make(lambda: 1)",
    "an unassigned closure": "def make():\n def f(): return n\n if False: n = 1\n return f\n"
    "it = make()",
    "attributes": "def it(): return it\nit.count = 0",
    "a map of one with a list": "from ipyparallel.serialize.calls import MapCall\n"
    "def f(y, x=[]): return x\nit = MapCall(f)",
    "a callable object": "class C:\n def __call__(self): return self\nit = C()",
    "a partial": "import functools\nit = functools.partial(lambda x: x, [])",
}


@pytest.mark.parametrize("source", REMEMBERED.values(), ids=REMEMBERED.keys())
def test_a_function_made_of_constants_is_pickled_and_loaded_once(source, sessions, pickled, loaded):
    it = sessions.define(source)
    frames = pickled.frames(it)
    assert pickled.frames(it) is frames
    sessions.at_engine()
    assert loaded.load(frames) is loaded.load([bytes(bytearray(frames[0]))])


@pytest.mark.parametrize("source", NOT_REMEMBERED.values(), ids=NOT_REMEMBERED.keys())
def test_what_may_hold_state_is_pickled_and_loaded_each_time(source, sessions, pickled, loaded):
    it = sessions.define(source)
    frames = pickled.frames(it)
    assert pickled.frames(it) is not frames
    sessions.at_engine()
    assert loaded.load(frames) is not loaded.load(frames)
    assert pickled._known == {}
    assert loaded._known == {}


@pytest.mark.parametrize(
    "source",
    [
        "def it(x=[]):\n x.append(1)\n return len(x)",
        "def it(*, x=[]):\n x.append(1)\n return len(x)",
        "def make(x):\n def f():\n  x.append(1)\n  return len(x)\n return f\nit = make([])",
        "def make(f):\n return lambda: f()\n"
        "def g(x=[]):\n x.append(1)\n return len(x)\nit = make(g)",
    ],
)
def test_two_calls_never_share_state(source, sessions, pickled, loaded):
    frames = pickled.frames(sessions.define(source))
    sessions.at_engine()
    assert [loaded.load(frames)() for _ in range(3)] == [1, 1, 1]


def test_what_a_function_captured_is_sent_as_it_is_at_each_call(sessions, pickled):
    it = sessions.define("def make(x):\n return lambda: x\nx = []\nit = make(x)")
    lengths = []
    for _ in range(3):
        lengths.append(len(deserialize(pickled.frames(it))()))
        sessions.client["x"].append(1)
    assert lengths == [0, 1, 2]


def change_closure(it):
    it.__closure__[0].cell_contents = 2


@pytest.mark.parametrize(
    ("source", "change"),
    [
        ("def it(x=1): return x", lambda it: setattr(it, "__defaults__", (2,))),
        ("def it(*, x=1): return x", lambda it: setattr(it, "__kwdefaults__", {"x": 2})),
        ("def it(*, x=1): return x", lambda it: it.__kwdefaults__.update(x=2)),
        (
            "def it(): return 1",
            lambda it: setattr(it, "__code__", (lambda: 2).__code__),
        ),
        ("def make(x):\n return lambda: x\nit = make(1)", change_closure),
        (
            "def make():\n x = 0\n def f():\n  nonlocal x\n  x += 1\n  return x\n return f\n"
            "it = make()",
            lambda it: it(),
        ),
    ],
    ids=["defaults", "kwdefaults", "one kwdefault", "code", "closure", "counter"],
)
def test_a_changed_function_is_pickled_anew(source, change, sessions, pickled):
    it = sessions.define(source)
    before = pickled.frames(it)
    change(it)
    after = pickled.frames(it)
    assert deserialize(before)() == 1
    assert deserialize(after)() == 2


@pytest.mark.parametrize(("one", "other"), [(1, True), (1, 1.0), (0, False), ("1", b"1")])
def test_equal_is_not_the_same(one, other, sessions, pickled):
    it = sessions.define("def it(x=None): return x")
    it.__defaults__ = (one,)
    pickled.frames(it)
    it.__defaults__ = (other,)
    assert type(deserialize(pickled.frames(it))()) is type(other)


def test_zero_is_not_minus_zero(sessions, pickled):
    it = sessions.define("def it(x=0.0): return str(x)")
    pickled.frames(it)
    it.__defaults__ = (-0.0,)
    assert deserialize(pickled.frames(it))() == "-0.0"


def test_a_function_that_captures_globals_of_its_module_is_pickled_anew(monkeypatch, pickled):
    module = types.ModuleType("some_module")
    monkeypatch.setitem(sys.modules, "some_module", module)
    exec("a = 1\nit = lambda: a", module.__dict__)
    assert deserialize(pickled.frames(module.it))() == 1
    module.a = 2
    assert deserialize(pickled.frames(module.it))() == 2


def test_a_new_function_at_the_place_of_a_dead_one_is_not_mistaken_for_it(sessions, pickled):
    for number in range(200):
        it = eval(f"lambda: {number}", sessions.client)
        assert deserialize(pickled.frames(it))() == number
        del it
        gc.collect(0)


def test_remembered_functions_are_not_kept_alive(sessions, pickled):
    it = sessions.define("it = lambda: 1")
    pickled.frames(it)
    ref = functions.weakref.ref(it)
    del it, sessions.client["it"]
    gc.collect()
    assert ref() is None


def test_memory_is_bounded_on_both_sides(sessions, pickled, loaded):
    made = [eval(f"lambda: {number}", sessions.client) for number in range(3 * LIMIT)]
    for it in made:
        loaded.load(pickled.frames(it))
        assert len(pickled._known) <= LIMIT
        assert len(loaded._known) <= LIMIT
    assert pickled._known
    assert loaded._known


def test_a_very_large_function_is_not_kept(sessions, pickled, loaded):
    it = sessions.define(f"def it(): return {'x' * 100_000!r}")
    frames = pickled.frames(it)
    sessions.at_engine()
    assert loaded.load(frames)() == "x" * 100_000
    assert (pickled._known, loaded._known) == ({}, {})


def test_a_function_of_a_module_is_loaded_by_name_each_time(monkeypatch, pickled, loaded):
    module = types.ModuleType("some_module")
    monkeypatch.setitem(sys.modules, "some_module", module)
    exec("def it(): return 1", module.__dict__)
    frames = pickled.frames(module.it)
    assert loaded.load(frames)() == 1
    exec("def it(): return 2", module.__dict__)  # the module was reloaded
    assert loaded.load(frames)() == 2


def test_a_function_loaded_into_a_namespace_that_was_replaced_is_loaded_anew(
    sessions, pickled, loaded
):
    frames = pickled.frames(sessions.define("it = lambda: a"))
    first = loaded.load(frames)
    sessions.at_engine()
    sessions.engine["a"] = 5
    second = loaded.load(frames)
    assert second is not first
    assert second() == 5


def test_frames_that_were_not_copied_are_loaded_too(sessions, pickled, loaded):
    frames = pickled.frames(sessions.define("it = lambda: 3"))
    assert loaded.load([memoryview(frames[0])])() == 3


def test_a_map_of_a_map_is_loaded(sessions, pickled, loaded):
    it = MapCall(MapCall(sessions.define("it = lambda x: x + 1")))
    assert loaded.load(pickled.frames(it))([[1, 2], [3]]) == [[2, 3], [4]]
