"""Warnings and notes about engines whose versions are not the client's."""

import warnings
from types import SimpleNamespace

import pytest

from ipyparallel.client.messaging.skew import Skew, describe, ranges
from ipyparallel.error import (
    ClientClosed,
    EngineError,
    TaskAborted,
    TaskTimeout,
    VersionMismatchWarning,
    unwrap_exception,
)

MINE = {"python": "3.11.2", "numpy": "2.0.0", "msgspec": "0.19"}
OTHER = {**MINE, "python": "3.13.0"}
APPLY = SimpleNamespace(header=SimpleNamespace(msg_type="apply_request"))
EXECUTE = SimpleNamespace(header=SimpleNamespace(msg_type="execute_request"))


@pytest.fixture
def skew():
    return Skew(MINE)


def remote(ename, evalue):
    return unwrap_exception(
        {"ename": ename, "evalue": evalue, "engine_info": {"engine_id": 1, "method": "apply"}}
    )


def meet(skew, engines):
    """What is warned of when these come."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        skew.meet(engines)
    assert all(w.category is VersionMismatchWarning for w in caught)
    return [str(w.message) for w in caught]


@pytest.mark.parametrize(
    "versions", [MINE, {}, {**MINE, "python": "3.11.9"}, {**MINE, "msgspec": "1.0"}, {"scipy": "1"}]
)
def test_what_does_no_harm_is_not_warned_of(skew, versions):
    assert meet(skew, {"u1": (1, versions)}) == []
    error = AttributeError("x")
    skew.explain(error, APPLY, "u1")
    assert not hasattr(error, "__notes__")


def test_a_warning_names_engines_versions_consequence_and_remedy(skew):
    (text,) = meet(skew, {"u0": (0, MINE), "u1": (1, OTHER), "u2": (2, OTHER), "u4": (4, OTHER)})
    assert text.startswith("engines 1-2, 4 have Python 3.13.0, and this client has 3.11.2")
    assert "bytecode" in text
    assert "Run client and engines with the same" in text


def test_each_kind_is_warned_of_once(skew):
    numpy = {**MINE, "numpy": "1.26.4"}
    assert len(meet(skew, {"u1": (1, OTHER), "u2": (2, numpy)})) == 2
    assert meet(skew, {"u3": (3, OTHER), "u4": (4, numpy)}) == []
    (text,) = meet(skew, {"u5": (5, {**MINE, "python": "3.12.1"})})
    assert text.startswith("engine 5 has Python 3.12.1")


def test_one_whose_warning_is_an_error_is_remembered(skew):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(VersionMismatchWarning):
            skew.meet({"u1": (1, OTHER)})
    error = AttributeError("x")
    skew.explain(error, APPLY, "u1")
    assert error.__notes__


@pytest.mark.parametrize(
    "error",
    [
        remote("SystemError", "unknown opcode 135"),
        EngineError("Engine 1 died"),
        AttributeError("unpickled here"),
        ModuleNotFoundError("No module named 'distutils.core'", name="distutils.core"),
    ],
    ids=["remote", "died", "here", "module"],
)
def test_an_error_of_a_call_has_the_reason(skew, error):
    meet(skew, {"u1": (1, OTHER)})
    skew.explain(error, APPLY, "u1")
    assert error.__notes__[-1].startswith(
        "This may be the reason: engine 1 has Python 3.13.0, and this client has 3.11.2"
    )


@pytest.mark.parametrize(
    ("error", "task", "uuid"),
    [
        (AttributeError("x"), APPLY, "u0"),
        (AttributeError("x"), APPLY, ""),
        (AttributeError("x"), EXECUTE, "u1"),
        (remote("ValueError", "x"), APPLY, "u1"),
        (ModuleNotFoundError("No module named 'mine'", name="mine"), APPLY, "u1"),
        (ModuleNotFoundError("cannot be told"), APPLY, "u1"),
        (TaskAborted("x"), APPLY, "u1"),
        (TaskTimeout("x"), APPLY, "u1"),
        (ClientClosed("x"), APPLY, "u1"),
    ],
)
def test_an_error_that_has_another_reason_is_left_alone(skew, error, task, uuid):
    meet(skew, {"u0": (0, MINE), "u1": (1, OTHER)})
    skew.explain(error, task, uuid)
    assert not getattr(error, "__notes__", None)


def test_that_packages_differ_is_told_where_they_are_named(skew):
    meet(skew, {"u1": (1, {**MINE, "numpy": "1.26.4"})})
    other, error = (
        AttributeError("x"),
        remote("ModuleNotFoundError", "No module named 'numpy._core'"),
    )
    skew.explain(other, APPLY, "u1")
    skew.explain(error, APPLY, "u1")
    assert not hasattr(other, "__notes__")
    assert "numpy 1.26.4, and this client has 2.0.0" in error.__notes__[-1]


def test_what_is_remembered_is_bounded(skew):
    meet(skew, {f"u{n}": (n, OTHER) for n in range(3000)})
    first, last = AttributeError(), AttributeError()
    skew.explain(first, APPLY, "u0")
    skew.explain(last, APPLY, "u2999")
    assert not hasattr(first, "__notes__")
    assert last.__notes__


@pytest.mark.parametrize(
    ("numbers", "text"),
    [([3], "3"), ([1, 0], "0-1"), ([0, 1, 2, 4, 7, 8], "0-2, 4, 7-8"), ([5, 3], "3, 5")],
)
def test_ranges(numbers, text):
    assert ranges(numbers) == text


def test_packages_are_named():
    assert "major version of pandas" in describe("pandas", "2.0", "3.0", [0])
