"""What a task waits for."""

import pickle
from types import SimpleNamespace

import pytest

from ipyparallel.scheduling.dependencies import Dependency

BOTH = {"success": True, "failure": True}
FAILURE = {"success": False, "failure": True}

#: Flags; what succeeded, what failed; whether it is met, whether it never can be.
TABLE = [
    ({}, "", "", False, False),
    ({}, "a", "", False, False),
    ({}, "ab", "", True, False),
    ({}, "a", "b", False, True),
    ({}, "", "a", False, True),
    ({"all": False}, "", "", False, False),
    ({"all": False}, "a", "", True, False),
    ({"all": False}, "a", "b", True, False),
    ({"all": False}, "", "a", False, False),
    ({"all": False}, "", "ab", False, True),
    (FAILURE, "", "ab", True, False),
    (FAILURE, "", "a", False, False),
    (FAILURE, "a", "", False, True),
    ({**FAILURE, "all": False}, "a", "", False, False),
    ({**FAILURE, "all": False}, "a", "b", True, False),
    ({**FAILURE, "all": False}, "ab", "", False, True),
    (BOTH, "a", "", False, False),
    (BOTH, "a", "b", True, False),
    (BOTH, "", "ab", True, False),
    ({**BOTH, "all": False}, "", "", False, False),
    ({**BOTH, "all": False}, "", "b", True, False),
]


@pytest.mark.parametrize(("flags", "completed", "failed", "met", "impossible"), TABLE)
def test_when_it_is_met(flags, completed, failed, met, impossible):
    dependency = Dependency(["a", "b"], **flags)
    others = {"x", "y"}
    assert dependency.check(set(completed) | others, set(failed) | others - {"x"}) is met
    assert dependency.unreachable(set(completed) | others, set(failed) | others) is impossible


@pytest.mark.parametrize("flags", [{}, {"all": False}, FAILURE])
def test_on_nothing_it_is_always_met(flags):
    dependency = Dependency(**flags)
    assert dependency.check(set()) is True
    assert dependency.unreachable({"x"}, {"y"}) is False


def test_failures_need_not_be_told():
    assert Dependency("a").check(["a"]) is True
    assert Dependency("a").unreachable(["a"]) is False


@pytest.mark.parametrize(
    ("dependencies", "ids"),
    [
        ("abc", {"abc"}),
        (["a", "b"], {"a", "b"}),
        (("a",), {"a"}),
        ({"a", "b"}, {"a", "b"}),
        ((x for x in "ab"), {"a", "b"}),
        (SimpleNamespace(msg_ids=["a", "b"]), {"a", "b"}),
        (["a", SimpleNamespace(msg_ids=["b", "c"])], {"a", "b", "c"}),
        ([["a"], [["b"]]], {"a", "b"}),
        (Dependency(["a"], all=False), {"a"}),
        ({"dependencies": ["a", "b"]}, {"a", "b"}),
        ({}, set()),
        ([], set()),
    ],
)
def test_tasks_are_given_in_many_ways(dependencies, ids):
    assert Dependency(dependencies) == ids


@pytest.mark.parametrize("flags", [{}, {"all": False}, FAILURE, BOTH])
def test_a_dict_and_back(flags):
    dependency = Dependency(["b", "a"], **flags)
    told = dependency.as_dict()
    assert told == {
        "dependencies": ["a", "b"],
        "all": flags.get("all", True),
        "success": flags.get("success", True),
        "failure": flags.get("failure", False),
    }
    for twin in (Dependency(told), pickle.loads(pickle.dumps(dependency))):
        assert type(twin) is Dependency
        assert twin.as_dict() == told


@pytest.mark.parametrize("wrong", [3, None, b"a", [3], ["a", None], {"dependencies": [1]}])
def test_what_is_no_task_is_refused(wrong):
    with pytest.raises(TypeError, match="a dependency is the id of a task"):
        Dependency(wrong)


def test_a_dict_with_other_keys_is_refused():
    with pytest.raises(ValueError, match="not 'faliure'"):
        Dependency({"dependencies": ["a"], "faliure": True})


@pytest.mark.parametrize("dependencies", [["a"], {"success": False}])
def test_something_must_count(dependencies):
    with pytest.raises(ValueError, match="success, or failure"):
        Dependency(dependencies, success=False)
