"""What may be passed to views is checked before anything is sent."""

import pytest

from ipyparallel import PrePickled, Reference
from ipyparallel.client.arguments import (
    check_callable,
    check_flag,
    check_label,
    check_name,
    check_names,
    check_namespace,
    inputs_of_map,
)
from ipyparallel.client.remotefunction import getname


@pytest.mark.parametrize("value", [True, False])
def test_flags(value):
    assert check_flag("block", value) is value


@pytest.mark.parametrize("value", [1, 0, None, "yes", 1.0])
def test_what_is_no_flag(value):
    with pytest.raises(TypeError, match=rf"^block must be True or False, not {value!r}$"):
        check_flag("block", value)


@pytest.mark.parametrize("func", [abs, int, Reference("x"), PrePickled(abs)], ids=getname)
def test_what_can_be_called(func):
    check_callable(func)


@pytest.mark.parametrize(
    "func",
    [None, 3, "abs", type("Named", (), {"name": "x"})()],
    ids=lambda func: type(func).__name__,
)
def test_what_cannot_be_called(func):
    with pytest.raises(TypeError, match="is not callable"):
        check_callable(func)


def test_labels_and_names():
    check_label(None)
    check_label("mine")
    check_name("a.b")
    for check in check_label, check_name:
        with pytest.raises(TypeError, match="not 3"):
            check(3)


@pytest.mark.parametrize("names", ["a", ["a", "b"], []])
def test_names_to_pull(names):
    assert check_names(names) == names
    assert check_names(tuple(names) if isinstance(names, list) else names) == names


@pytest.mark.parametrize("names", [3, None, ["a", 3], {"a": 1}])
def test_what_cannot_be_pulled(names):
    with pytest.raises(TypeError, match="pull takes a name or a list of names"):
        check_names(names)


def test_namespaces():
    check_namespace({"a": 1, "b.c": 2})
    for namespace in [("a", 1)], {1: 2}, None:
        with pytest.raises(TypeError, match="push takes a dict of names and values"):
            check_namespace(namespace)


def test_the_inputs_of_a_map_are_as_long_as_the_shortest():
    assert inputs_of_map(([1, 2, 3], (4, 5), (x for x in "abc"))) == [[1, 2], (4, 5), ["a", "b"]]
    assert inputs_of_map(([], [1])) == [[], []]
    with pytest.raises(TypeError, match="at least one sequence"):
        inputs_of_map(())
    with pytest.raises(TypeError, match="'int' is not iterable"):
        inputs_of_map(([1], 3))


def test_names_of_functions():
    named = type("Named", (), {"name": "x"})()
    assert [getname(f) for f in (abs, named, Reference("a.b"), 3)] == ["abs", "x", "a.b", "3"]
