"""What cannot be pickled is found inside of what holds it."""

import pickle
import threading

import pytest

from ipyparallel.serialize.culprits import find
from ipyparallel.serialize.pickler import serialize

LOCK = threading.Lock()


class Holder:
    def __init__(self, **attributes):
        self.__dict__.update(attributes)


class Stubborn:
    def __init__(self):
        self.inner = 1

    def __reduce__(self):
        raise RuntimeError("not me")


class Odd:
    """Hides what it has."""

    __slots__ = ("lock",)

    def __init__(self):
        self.lock = LOCK


def closed(value):
    return lambda: value


CASES = {
    "itself": (LOCK, ""),
    "in a list": ([0, LOCK], "[1]"),
    "in a tuple": ((LOCK,), "[0]"),
    "in a dict": ({"a": 0, "b": LOCK}, "['b']"),
    "deep": ([{"a": (0, [LOCK])}], "[0]['a'][1][0]"),
    "in an object": (Holder(a=1, b=[LOCK]), ".b[0]"),
    "in a closure": (closed(LOCK), "'s variable 'value'"),
    "in a closure's list": (closed([LOCK]), "'s variable 'value'[0]"),
    "in a default": (lambda x, y=LOCK: x, "'s default"),
    "the first of two": ([1, LOCK, LOCK], "[1]"),
}


@pytest.mark.parametrize(("obj", "path"), CASES.values(), ids=CASES.keys())
def test_its_path(obj, path):
    found, part, error = find("it", obj, serialize)
    assert found == "it" + path
    assert part is LOCK
    assert "cannot pickle '_thread.lock' object" in str(error)


def test_what_can_be_pickled_has_no_culprit():
    assert find("it", [1, {"a": Holder()}], serialize) is None


@pytest.mark.parametrize(("obj", "kind"), [([Stubborn()], Stubborn), ([Odd()], Odd)])
def test_it_ends_where_no_part_is_to_blame(obj, kind):
    path, part, _ = find("it", obj, pickle.dumps if kind is Odd else serialize)
    assert path.startswith("it[0]")
    assert type(part) is kind


def test_what_holds_itself():
    obj = [LOCK]
    obj.insert(0, obj)
    path, _, _ = find("it", obj, serialize)
    assert path.startswith("it[0]")


def test_very_deep_things_end():
    obj = [LOCK]
    for _ in range(100_000):
        obj = [obj]
    path, _, _ = find("it", obj, serialize)
    assert path.startswith("it[0][0]")


def test_very_wide_things_end():
    tried = []

    def pickles(obj):
        tried.append(obj)
        if type(obj) is list:
            raise TypeError("no")

    path, _, _ = find("it", [0] * 100_000, pickles)
    assert path == "it"
    assert len(tried) < 20_000
