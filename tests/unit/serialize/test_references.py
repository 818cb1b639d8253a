"""A reference arrives as what it stands for."""

import copy
import pickle

import pytest

from ipyparallel.serialize.calls import MapCall
from ipyparallel.serialize.functions import LoadedFunctions, PickledFunctions
from ipyparallel.serialize.references import Reference


@pytest.fixture
def ns(sessions):
    sessions.engine["a"] = [1, 2]
    sessions.engine["d"] = {"k": 3}
    return sessions.engine


def test_it_arrives_as_the_object_itself(sessions, ns):
    assert sessions.send(Reference("a")) is ns["a"]


def test_inside_of_other_things_too(sessions, ns):
    sent = sessions.send([Reference("a"), {"x": (Reference("d"),)}])
    assert sent[0] is ns["a"]
    assert sent[1]["x"][0] is ns["d"]


@pytest.mark.parametrize(("name", "value"), [("d['k']", 3), ("len(a)", 2), (" a[0] + 1", 2)])
def test_any_expression_will_do(name, value, sessions, ns):
    assert sessions.send(Reference(name)) == value


@pytest.mark.usefixtures("ns")
@pytest.mark.parametrize("name", ["missing", "missing.x", "missing + a"])
def test_a_name_that_stands_for_nothing_is_named(name, sessions):
    with pytest.raises(NameError, match=rf"<Reference: '{name.replace('+', '.')}'> .*'missing'"):
        sessions.send([Reference(name)])


@pytest.mark.usefixtures("ns")
def test_other_errors_are_those_of_the_expression(sessions):
    with pytest.raises(AttributeError, match="nothing"):
        sessions.send(Reference("a.nothing"))


@pytest.mark.parametrize("name", [None, 3, b"a", ["a"]])
def test_a_name_is_a_str(name):
    with pytest.raises(TypeError, match="takes a name"):
        Reference(name)


def test_here_it_stays_what_it_is():
    reference = Reference("a")
    assert repr(reference) == "<Reference: 'a'>"
    for twin in (
        copy.copy(reference),
        copy.deepcopy(reference),
        pickle.loads(pickle.dumps(reference)),
    ):
        assert type(twin) is Reference
        assert twin.name == "a"


@pytest.mark.parametrize("wrap", [lambda f: f, MapCall, lambda f: MapCall(MapCall(f))])
def test_a_function_that_is_referred_to_is_looked_up_at_each_call(wrap, sessions):
    frames = PickledFunctions().frames(wrap(Reference("f")))
    sessions.at_engine()
    loaded = LoadedFunctions()
    for value in (1, 2):
        exec(f"def f(x=None): return {value}", sessions.engine)
        func = loaded.load(frames)
        while type(func) is MapCall:
            func = func.func
        assert func is sessions.engine["f"]


def test_what_a_closure_refers_to_is_looked_up_at_each_call(sessions):
    it = sessions.define(
        "from ipyparallel import Reference\ndef make(n):\n return lambda: n\n"
        "it = make(Reference('n'))"
    )
    frames = PickledFunctions().frames(it)
    sessions.at_engine()
    loaded = LoadedFunctions()
    for value in (1, 2):
        sessions.engine["n"] = value
        assert loaded.load(frames)() == value
