"""What views have engines call works on the engine's namespace."""

import pytest

from ipyparallel.serialize.calls import MapCall, pull, push


@pytest.fixture
def ns(sessions):
    sessions.at_engine()
    return sessions.engine


def names(ns):
    return {name: value for name, value in ns.items() if not name.startswith("__")}


def test_values_are_assigned_to_their_names(ns):
    push({"a": 1, "b": [2]})
    assert names(ns) == {"a": 1, "b": [2]}


def test_names_may_be_dotted_or_subscripted(ns):
    push({"a": {}, "b": [0, 0], "c": type("C", (), {})()})
    push({"a['x']": 1, "b[1]": 2, "c.d": 3})
    assert (ns["a"], ns["b"], ns["c"].d) == ({"x": 1}, [0, 2], 3)
    assert names(ns).keys() == {"a", "b", "c"}


@pytest.mark.parametrize(
    ("name", "error"), [("missing.a", NameError), ("1x", SyntaxError), ("a b", SyntaxError)]
)
def test_a_name_that_cannot_be_assigned_raises_and_leaves_nothing(name, error, ns):
    with pytest.raises(error):
        push({name: 1})
    assert names(ns) == {}


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("a", 1),
        ("b", [2, 3]),
        ("b[1]", 3),
        ("a + 1", 2),
        ("len(b)", 2),
        (["a", "b[0]"], [1, 2]),
        ([], []),
        (["a"], [1]),
    ],
)
def test_names_and_expressions_are_evaluated(expression, value, ns):
    push({"a": 1, "b": [2, 3]})
    assert pull(expression) == value


@pytest.mark.parametrize("expression", ["missing", ["missing"]])
def test_a_name_that_is_not_there_is_a_name_error(expression, ns):
    with pytest.raises(NameError, match="missing"):
        pull(expression)


def test_a_map_goes_as_far_as_the_shortest_sequence():
    call = MapCall(lambda x, y: (x, y))
    assert call([1, 2, 3], "ab") == [(1, "a"), (2, "b")]
    assert call([], []) == []


def test_a_map_is_named_for_what_it_calls(sessions):
    assert MapCall(len).__name__ == "len"
    assert MapCall(object()).__name__ == "map"
    assert sessions.send(MapCall(len))(["a", "bc"]) == [1, 2]
