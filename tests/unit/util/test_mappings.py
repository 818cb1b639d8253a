"""Dicts with something more."""

import copy
import pickle

import pytest

from ipyparallel.util import Namespace, ReverseDict, int_keys


def test_keys_are_attributes():
    namespace = Namespace(a=1)
    namespace.b = 2
    assert (namespace.a, namespace["b"]) == (1, 2)
    assert not hasattr(namespace, "c")
    assert copy.deepcopy(namespace) == pickle.loads(pickle.dumps(namespace)) == {"a": 1, "b": 2}


def test_both_sides_can_be_asked():
    ids = ReverseDict({0: "zero"}, one="1")
    ids[2] = "two"
    assert (ids[0], ids["zero"], ids["1"], ids.get("two"), ids.get(2)) == (
        "zero",
        0,
        "one",
        2,
        "two",
    )
    assert ids.get("three") is None
    assert ids.get("three", 3) == 3
    with pytest.raises(KeyError):
        ids["three"]


def test_nothing_is_on_both_sides():
    ids = ReverseDict({0: "zero"})
    with pytest.raises(KeyError, match="both sides"):
        ids["zero"] = 5
    with pytest.raises(KeyError, match="both sides"):
        ids[5] = 0
    with pytest.raises(KeyError, match="both sides"):
        ReverseDict({0: 1, 1: 2})
    assert dict(ids) == {0: "zero"}


def test_what_goes_goes_from_both_sides():
    ids = ReverseDict({0: "zero", 1: "one"})
    assert ids.pop(0) == "zero"
    assert ids.get("zero") is None
    del ids[1]
    assert ids.get("one") is None
    assert ids.pop(1, None) is None
    with pytest.raises(KeyError):
        ids.pop(1)
    ids[0] = "a"
    ids[0] = "b"
    assert ids.get("a") is None


def test_numbers_in_text_become_numbers():
    keys = {"1": "a", "x": "b", 3: "c"}
    assert int_keys(keys) is keys
    assert keys == {1: "a", "x": "b", 3: "c"}
