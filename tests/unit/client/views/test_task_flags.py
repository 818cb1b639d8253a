"""Flags of a load balanced view, and the metadata that is made of them."""

import json
import math
from fractions import Fraction
from types import SimpleNamespace

import pytest

from ipyparallel import AsyncMapResult, AsyncResult, Dependency, LoadBalancedView, depend
from ipyparallel.client.messaging.engines import EngineTable
from ipyparallel.client.partition import Block
from ipyparallel.protocol.messages import decode_request_metadata, decode_task_metadata


class OwnError(Exception):
    """One that is not built in."""


@pytest.fixture
def client():
    """As much of a client as a view's flags look at."""
    engines = EngineTable()
    for number in range(3):
        engines.add(number, f"u{number}", native=True)
    messenger = SimpleNamespace(engines=engines, task_scheme="leastload")
    return SimpleNamespace(
        block=False, session=SimpleNamespace(id_prefix="c_"), _messenger=messenger
    )


@pytest.fixture
def view(client):
    return LoadBalancedView(client, None)


def told(view, **options):
    return json.loads(view.task_metadata(**options))


def test_without_flags_only_what_every_scheduler_knows_is_said(view):
    assert told(view) == {
        "after": [],
        "follow": [],
        "timeout": 0.0,
        "targets": [],
        "retries": 0,
        "label": None,
        "count_output": True,
    }


@pytest.mark.parametrize(
    ("flag", "value", "expected"),
    [
        ("timeout", 2, 2.0),
        ("timeout", Fraction(1, 2), 0.5),
        ("timeout", None, 0.0),
        ("retries", 3, 3),
        ("priority", -2, -2),
        ("resources", {"gpu": 1, "memory": 0.5}, {"gpu": 1.0, "memory": 0.5}),
        ("time_limit", 1.5, 1.5),
        ("targets", [2, 0], ["u2", "u0"]),
        ("targets", range(2), ["u0", "u1"]),
        ("targets", 1, ["u1"]),
        ("targets", "all", []),
        ("targets", [7], ["engine 7"]),
        ("targets", [-1], ["u2"]),
        ("targets", [-4], ["engine -4"]),
        ("targets", slice(1, None), ["u1", "u2"]),
        ("label", "mine", "mine"),
        ("retry_on", ValueError, ["builtins.ValueError"]),
        ("retry_on", "ValueError", ["builtins.ValueError"]),
        ("retry_on", "a.b.Error", ["a.b.Error"]),
        ("retry_on", [OSError, OwnError], ["builtins.OSError", f"{__name__}.OwnError"]),
        ("retry_on", (), []),
        ("after", "a", ["a"]),
        ("after", ["b", "a"], ["a", "b"]),
        ("after", {"a"}, ["a"]),
        ("follow", ("a", ("b",)), ["a", "b"]),
        ("follow", [], []),
        ("after", Dependency(["a"]), ["a"]),
        (
            "after",
            Dependency(["a"], all=False),
            {"dependencies": ["a"], "all": False, "success": True, "failure": False},
        ),
        (
            "follow",
            Dependency(["a"], failure=True).as_dict(),
            {"dependencies": ["a"], "all": True, "success": True, "failure": True},
        ),
        ("after", {"dependencies": ["a"]}, ["a"]),
    ],
)
def test_what_is_set_is_told(view, flag, value, expected):
    before = told(view)
    assert view.set_flags(**{flag: value}) is view
    assert told(view)[flag] == expected
    with view.temp_flags(**{flag: getattr(LoadBalancedView(view.client, None), flag)}):
        assert told(view) == before
    assert told(view)[flag] == expected
    # what reads it finds what is meant
    decode_task_metadata(view.task_metadata())
    decode_request_metadata(view.task_metadata())


@pytest.mark.parametrize("flag", ["after", "follow"])
def test_results_are_dependencies(view, tasks, flag):
    single, one, two = tasks.many(3)
    result = AsyncResult(None, single)
    mapped = AsyncMapResult(None, [one, two], Block())
    view.set_flags(**{flag: result})
    assert told(view)[flag] == [single.msg_id]
    view.set_flags(**{flag: mapped})
    assert told(view)[flag] == sorted([one.msg_id, two.msg_id])
    view.set_flags(**{flag: [result, mapped, "other"]})
    assert told(view)[flag] == sorted([single.msg_id, one.msg_id, two.msg_id, "other"])
    view.set_flags(**{flag: Dependency(mapped, all=False)})
    assert set(told(view)[flag]["dependencies"]) == {one.msg_id, two.msg_id}


@pytest.mark.parametrize("flag", ["after", "follow"])
@pytest.mark.parametrize("wrong", [5, b"a", [5], ["a", None], {"msg_ids": []}, object()])
def test_what_is_no_dependency(view, flag, wrong):
    with pytest.raises(ValueError, match=f"^Invalid dependency: .*{flag}"):
        view.set_flags(**{flag: wrong})
    assert getattr(view, flag) is None


@pytest.mark.parametrize(
    ("flag", "wrong", "error"),
    [
        ("timeout", -1, ValueError),
        ("timeout", math.nan, ValueError),
        ("timeout", math.inf, ValueError),
        ("timeout", "1", TypeError),
        ("timeout", True, TypeError),
        ("timeout", 1j, TypeError),
        ("retries", None, TypeError),
        ("retries", 1.0, TypeError),
        ("retries", True, TypeError),
        ("retries", -1, ValueError),
        ("priority", "high", TypeError),
        ("priority", 0.5, TypeError),
        ("resources", ["gpu"], TypeError),
        ("resources", {1: 1}, TypeError),
        ("resources", {"gpu": "1"}, TypeError),
        ("resources", {"gpu": 0}, ValueError),
        ("resources", {"gpu": -1}, ValueError),
        ("time_limit", -0.1, ValueError),
        ("time_limit", [], TypeError),
        ("retry_on", 5, TypeError),
        ("retry_on", int, TypeError),
        ("retry_on", [ValueError, 5], TypeError),
        ("retry_on", "Nothing", ValueError),
        ("retry_on", "not a name", ValueError),
        ("retry_on", "int", ValueError),
        ("targets", 0.5, TypeError),
        ("targets", ["0"], TypeError),
        ("targets", True, TypeError),
    ],
)
def test_a_wrong_value_is_told_at_once_and_nothing_is_set(view, flag, wrong, error):
    before = getattr(view, flag)
    with pytest.raises(error, match=flag):
        setattr(view, flag, wrong)
    with pytest.raises(error, match=flag):
        view.set_flags(block=True, label="x", **{flag: wrong})
    assert getattr(view, flag) == before
    assert (view.block, view.label) == (False, None)


def test_numbers_of_numpy_are_numbers(view):
    numpy = pytest.importorskip("numpy")
    view.set_flags(
        retries=numpy.int64(2),
        timeout=numpy.float32(0.5),
        resources={"gpu": numpy.int8(1)},
        targets=numpy.array([1])[0],
    )
    metadata = told(view)
    assert (metadata["retries"], metadata["timeout"]) == (2, 0.5)
    assert (metadata["resources"], metadata["targets"]) == ({"gpu": 1.0}, ["u1"])


def test_what_was_given_may_change_afterwards(view):
    given = {"gpu": 1}
    view.resources = given
    given["gpu"] = 5
    assert told(view)["resources"] == {"gpu": 1.0}
    with pytest.raises(TypeError):
        view.resources["gpu"] = 2
    view.targets = [0]
    assert told(view)["targets"] == ["u0"]
    view.targets.append(1)
    assert told(view)["targets"] == ["u0", "u1"]
    view.after = ["a"]
    assert told(view)["after"] == ["a"]
    view.after.add("b")
    assert told(view)["after"] == ["a", "b"]


# ---- made once


def test_it_is_made_once_until_a_flag_changes(view):
    first = view.task_metadata()
    assert view.task_metadata() is first
    labelled = view.task_metadata(label="other")
    assert json.loads(labelled)["label"] == "other"
    assert view.task_metadata(label="other") is labelled
    assert view.task_metadata() == first
    for flag in LoadBalancedView._flag_names:
        if flag in ("block", "track"):
            continue
        value = {"label": "x", "resources": {"a": 1}, "retry_on": OSError, "after": "i"}
        known = view.task_metadata()
        with view.temp_flags(**{flag: value.get(flag, "i" if flag == "follow" else 1)}):
            assert view.task_metadata() != known, flag
        assert view.task_metadata() == known, flag


def test_a_twin_has_its_own(view):
    view.task_metadata()
    twin = view._with_flags(retries=2)
    assert (told(twin)["retries"], told(view)["retries"]) == (2, 0)
    view.retries = 1
    assert (told(twin)["retries"], told(view)["retries"]) == (2, 1)
    twin.retries = 3
    assert (told(twin)["retries"], told(view)["retries"]) == (3, 1)


def test_it_follows_the_engines(view, client):
    engines = client._messenger.engines
    view.targets = [1]
    assert told(view)["targets"] == ["u1"]
    engines.remove(1, "u1")
    assert told(view)["targets"] == ["engine 1"]
    engines.add(1, "new", native=True)
    assert told(view)["targets"] == ["new"]
    view.targets = None
    assert told(view)["targets"] == []
    engines.add(5, "foreign", native=False)
    assert sorted(told(view)["targets"]) == ["new", "u0", "u2"]
    engines.remove(5, "foreign")
    assert told(view)["targets"] == []


# ---- the pure scheduler


@pytest.mark.parametrize(
    ("flag", "value"),
    [
        ("targets", [0]),
        ("after", "a"),
        ("follow", "a"),
        ("timeout", 1),
        ("retries", 1),
        ("priority", 1),
        ("resources", {"a": 1}),
        ("time_limit", 1),
        ("retry_on", OSError),
    ],
)
def test_the_pure_scheduler_heeds_no_flags(view, client, flag, value):
    client._messenger.task_scheme = "pure"
    assert told(view)["retries"] == 0
    with (
        view.temp_flags(**{flag: value}),
        pytest.raises(RuntimeError, match=f"pure scheduler does not heed {flag}:"),
    ):
        view.task_metadata()
    view.task_metadata()


def test_the_pure_scheduler_names_all_that_it_does_not_heed(view, client):
    client._messenger.task_scheme = "pure"
    view.set_flags(retries=2, after="a", label="heeded")
    with pytest.raises(RuntimeError, match="after, retries:"):
        view.task_metadata()


def test_the_pure_scheduler_does_not_look_where_a_requirement_is_met(view, client):
    function = depend(bool, 1)(abs)
    view._check_function(function)
    client._messenger.task_scheme = "pure"
    view._check_function(abs)
    with pytest.warns(UserWarning, match="abs depends on"):
        view._check_function(function)
