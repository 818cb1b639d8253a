"""Helpers that older clients have engines call."""

import sys

import pytest

from ipyparallel.util import _execute, _pull, _push


@pytest.fixture
def namespace(monkeypatch):
    names = vars(sys.modules["__main__"])
    yield names
    names.pop("_from_a_test", None)


def test_they_work_on_the_namespace_of_the_user(namespace):
    _push(_from_a_test=3)
    assert namespace["_from_a_test"] == 3
    _execute("_from_a_test += 1")
    assert _pull("_from_a_test") == 4
    assert _pull(["_from_a_test", "_from_a_test * 2"]) == [4, 8]
