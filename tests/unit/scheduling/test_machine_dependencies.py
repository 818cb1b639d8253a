"""Tasks that wait for tasks: `after`, `follow`, and what can never come to pass."""

import gc
import weakref

import pytest

from ipyparallel.error import ImpossibleDependency, InvalidDependency
from ipyparallel.scheduling.dependencies import Dependency
from tests.support.machine_driver import Driver

# ---- after


def test_a_task_runs_after_another_while_an_engine_is_idle():
    driver = Driver(hwm=1, engines="ab")
    assert driver.submit("1") == ["1>a"]
    assert driver.submit("2", after="1") == []
    assert driver.submit("3") == ["3>b"]
    assert driver.finish("b", "3") == ["3=ok"]
    assert driver.finish("a", "1") == ["1=ok", "2>b"]  # idle for longer


def test_one_that_depends_on_what_has_ended_runs_at_once():
    driver = Driver(hwm=1, engines="a")
    driver.submit("1")
    driver.finish("a", "1")
    assert driver.submit("2", after="1", follow="1") == ["2>a"]


def test_one_that_depends_on_what_had_ended_before_the_scheduler_was_there():
    driver = Driver(hwm=1, engines="ab")
    driver.machine.ended_before("x_1", ok=True, uuid="b")
    driver.machine.ended_before("x_2", ok=False, uuid="gone")
    assert driver.submit("1", follow=Dependency(["x_1"])) == ["1>b"]
    assert driver.submit("2", after=Dependency(["x_2"])) == ["2!ImpossibleDependency"]


def test_all_or_any():
    driver = Driver(hwm=1, engines="abcd")
    driver.submit("12")
    assert driver.submit("3", after="12") == []
    assert driver.submit("4", after=Dependency(list("12"), all=False)) == []
    assert driver.finish("b", "2") == ["2=ok", "4>c"]
    assert driver.finish("a", "1") == ["1=ok", "3>d"]


def test_after_failures_only():
    driver = Driver(hwm=1, engines="ab")
    driver.submit("12")
    failure = {"success": False, "failure": True}
    driver.submit("3", after=Dependency("1", **failure))
    driver.submit("4", after=Dependency("2", **failure))
    assert driver.fail("a", "1") == ["1=error", "3>a"]
    assert driver.finish("b", "2") == ["2=ok", "4!ImpossibleDependency"]
    assert driver.error("4") == "task 4 can never run: it depends on 2, which succeeded"


def test_a_failure_fails_all_that_can_not_run_any_more():
    driver = Driver(hwm=1, engines="a")
    driver.submit("1")
    driver.submit("2", after="1")
    driver.submit("3", after=Dependency(list("12"), all=False))
    driver.submit("4", after=Dependency("2", success=True, failure=True))
    assert driver.fail("a", "1") == [
        "1=error",
        "2!ImpossibleDependency",
        "3!ImpossibleDependency",
        "4>a",
    ]
    assert driver.error("2") == "task 2 can never run: it depends on 1, which failed"
    assert driver.error("3") == "task 3 can never run: it depends on 2, which failed"


@pytest.mark.parametrize("which", ["after", "follow"])
def test_one_that_depends_on_what_nobody_knows_is_told_at_once(which):
    driver = Driver(engines="a")
    assert driver.submit("1") == ["1>a"]
    assert driver.submit("2", **{which: Dependency(["x_9"])}) == ["2!InvalidDependency"]
    assert "x_9, which the task scheduler does not know" in driver.error("2")


@pytest.mark.parametrize("which", ["after", "follow"])
def test_one_can_not_depend_on_itself(which):
    driver = Driver(engines="a")
    assert driver.submit("1", **{which: "1"}) == ["1!InvalidDependency"]
    assert driver.error("1") == "task 1 depends on itself"
    assert type(driver.failed["1"].error) is InvalidDependency
    assert driver.submit("2", after=Dependency("1", failure=True)) == ["2>a"]


def test_one_that_depends_on_a_task_twice_waits_for_it_once():
    driver = Driver(hwm=1, engines="a")
    driver.submit("1")
    driver.submit("2", after="1", follow="1")
    assert driver.finish("a", "1") == ["1=ok", "2>a"]


# ---- follow


def test_a_task_follows_another_to_its_engine_though_others_are_idle():
    driver = Driver(hwm=1, engines="ab")
    driver.submit("1")
    assert driver.submit("2", follow="1") == []
    assert driver.finish("a", "1") == ["1=ok", "2>a"]
    assert driver.submit("3", follow="1") == []
    assert driver.finish("a", "2") == ["2=ok", "3>a"]


def test_one_can_not_follow_two_to_different_engines():
    driver = Driver(hwm=1, engines="ab")
    driver.submit("12")
    driver.submit("3", follow="12")
    driver.finish("a", "1")
    assert driver.finish("b", "2") == ["2=ok", "3!ImpossibleDependency"]
    assert driver.error("3") == "task 3 cannot follow tasks that ran on different engines: 1, 2"


def test_one_may_follow_any_of_several():
    driver = Driver(hwm=1, engines="ab")
    driver.submit("12")
    driver.finish("a", "1")
    driver.finish("b", "2")
    driver.submit("x", "a")
    assert driver.submit("3", follow=Dependency(list("12"), all=False)) == ["3>b"]


def test_one_follows_within_its_targets():
    driver = Driver(hwm=1, engines="ab")
    driver.submit("1", "a")
    driver.finish("a", "1")
    assert driver.submit("2", "b", follow="1") == ["2!ImpossibleDependency"]
    assert driver.error("2") == (
        "task 2 can never run: it depends on 1, which ran on an engine that is gone, or that may"
        " not run this one"
    )
    assert driver.submit("3", "ab", follow="1") == ["3>a"]


def test_one_can_not_follow_to_an_engine_that_is_gone():
    driver = Driver(hwm=1, engines="ab")
    driver.submit("1")
    driver.finish("a", "1")
    driver.submit("x", "a")
    driver.submit("2", follow="1")
    assert driver.leave("a") == ["x!EngineError", "2!ImpossibleDependency"]
    assert driver.submit("3", follow="1") == ["3!ImpossibleDependency"]
    for msg_id in "23":
        assert f"task {msg_id} can never run: it depends on 1, which ran" in driver.error(msg_id)


def test_one_can_not_follow_what_never_ran():
    driver = Driver(hwm=1, engines="a")
    driver.submit("12")
    driver.submit("3", follow=Dependency("2", failure=True))
    assert driver.cancel("2") == ["2-", "q:2=w", "3!ImpossibleDependency"]
    assert driver.error("3") == "task 3 can never run: it depends on 2, which never ran"


def test_one_may_run_where_any_of_those_has_ended_while_it_waits():
    driver = Driver(hwm=1, engines="ab")
    driver.submit("12")
    driver.submit("x", "a")
    driver.submit("3", follow=Dependency(list("12"), all=False))
    assert driver.finish("a", "1") == ["1=ok", "x>a"]
    assert driver.finish("b", "2") == ["2=ok", "3>b"]
    assert driver.machine._graph._waiting_for == {}


def test_one_follows_to_where_it_was_tried_last():
    driver = Driver(hwm=1, engines="ab")
    driver.submit("1", retries=1)
    driver.fail("a", "1")
    driver.finish("b", "1")
    assert driver.submit("2", follow="1") == ["2>b"]


# ---- long chains, memory


@pytest.mark.parametrize("how", ["runs", "fails", "is cancelled", "waits too long", "dies"])
def test_a_chain_of_ten_thousand(how):
    """Without recursion, and in time that does not grow with its square."""
    number = 10_000
    driver = Driver(hwm=1, engines="a")
    driver.submit(["0"], timeout=1.0 if how == "waits too long" else 0.0)
    if how in ("is cancelled", "waits too long"):
        driver.leave("a")
        driver.submit(["first"])
    for i in range(1, number):
        driver.submit([str(i)], after=Dependency([str(i - 1)]))
    match how:
        case "runs":
            for i in range(number - 1):
                assert driver.finish("a", str(i)) == [f"{i}=ok", f"{i + 1}>a"]
            driver.finish("a", str(number - 1))
        case "fails":
            assert len(driver.fail("a", "0")) == number
        case "is cancelled":
            assert driver.submit(["x"]) == []
        case "dies":
            assert len(driver.leave("a")) == number
        case "waits too long":
            assert driver.submit(["x"]) == []
    if how in ("fails", "dies"):
        assert driver.error(str(number - 1)).endswith(f"it depends on {number - 2}, which failed")
        assert driver.machine.jobs == {}


def test_tasks_on_which_very_many_depend_and_one_that_depends_on_very_many():
    number = 5000
    driver = Driver(hwm=0, engines="a")
    many = [str(i) for i in range(number)]
    driver.submit(["first"])
    driver.submit(many, after=Dependency(["first"]))
    driver.submit(["last"], after=Dependency(many))
    assert len(driver.finish("a", "first")) == 1 + number
    for i in many[:-1]:
        driver.finish("a", i)
    assert driver.finish("a", many[-1]) == [f"{number - 1}=ok", "last>a"]
    assert driver.machine._graph._waiting_for == {}


class Payload:
    """Something that can tell when it is forgotten."""


ENDS = {
    "refused": lambda driver: None,
    "impossible": lambda driver: driver.fail("a", "1"),
    "cancelled": lambda driver: driver.cancel("2"),
    "late": lambda driver: driver.tick(5.0),
    "stopped": lambda driver: (driver.finish("a", "1"), driver.leave("a")),
    "done": lambda driver: (driver.finish("a", "1"), driver.finish("a", "2")),
}


@pytest.mark.parametrize("end", ENDS)
def test_what_it_carries_is_let_go_when_it_ends(end):
    """At once: the collector of cycles may come late."""
    driver = Driver(hwm=1, engines="ab")
    payload = Payload()
    known = weakref.ref(payload)
    driver.submit("1", "a")
    after = Dependency(["nobody"]) if end == "refused" else Dependency("1")
    gc.collect()
    gc.disable()
    try:
        driver.submit("2", "a", after=after, timeout=5.0, payload=payload)
        del payload
        ENDS[end](driver)
        driver.failed.clear()
        assert "2" not in driver.machine.jobs
        assert known() is None
    finally:
        gc.enable()


def test_one_that_waited_for_an_engine_needs_no_memory_of_what_it_depended_on():
    driver = Driver(hwm=1)
    gpu = {"gpu": 1}
    driver.join("a", gpu)
    driver.join("b")
    driver.submit("1", "b")
    driver.finish("b", "1")
    driver.submit("x", resources=gpu, time_limit=1.0)
    assert driver.submit("2", after="1", resources=gpu) == []
    driver.tick(1.0)
    driver.tick(5.0)
    driver.machine._outcomes._sessions.clear()  # as after very many tasks
    assert driver.leave("a") == ["x!TaskTimeout"]
    assert driver.join("c", gpu, engine_id=0) == ["2>c"]


def test_an_error_of_a_dependency_is_that_of_a_dependency():
    assert issubclass(InvalidDependency, ImpossibleDependency)
