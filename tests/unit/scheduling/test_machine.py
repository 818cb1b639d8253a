"""Single decisions of the task machine, one at a time; see also test_machine_rules."""

import gc
import weakref

import pytest

from ipyparallel.error import EngineError, ImpossibleDependency
from ipyparallel.scheduling.machine import LONG, TaskMachine
from ipyparallel.scheduling.policies import LeastLoad
from ipyparallel.scheduling.state import Job
from ipyparallel.scheduling.terms import Terms
from tests.support.machine_driver import SHORT, Driver


@pytest.mark.parametrize("hwm", [-1, 1.5, "many", None])
def test_a_wrong_hwm_is_named(hwm):
    with pytest.raises(ValueError, match=f"hwm must be 'auto'.* not {hwm!r}"):
        TaskMachine(LeastLoad(), hwm)


def test_tasks_submitted_before_any_engine_wait_for_one():
    driver = Driver(hwm=2)
    assert driver.submit("123") == []
    assert driver.machine.waiting == 3
    assert driver.join("a") == ["1>a", "2>a"]
    assert driver.machine.waiting == 1


def test_the_engine_that_answers_gets_the_next_task():
    driver = Driver(hwm=1, engines="ab")
    assert driver.submit("1234") == ["1>a", "2>b"]
    assert driver.finish("b", "2") == ["2=ok", "3>b"]
    assert driver.finish("a", "1") == ["1=ok", "4>a"]
    assert driver.machine.engines["b"].completed == 1


def test_without_limit_all_is_sent_at_once():
    assert Driver(hwm=0, engines="ab").submit("1234") == ["1>a", "2>b", "3>a", "4>b"]


def test_a_quick_engine_is_trusted_with_several_tasks():
    driver = Driver(engines="a")
    assert driver.submit("123456789x") == ["1>a"]
    assert driver.finish("a", "1") == ["1=ok", *[f"{i}>a" for i in "23456789"]]


def test_an_engine_that_does_not_say_how_long_it_took_gets_one_at_a_time():
    driver = Driver(engines="a")
    driver.submit("123")
    assert driver.finish("a", "1", seconds=-1.0) == ["1=ok", "2>a"]


def test_the_same_engine_cannot_join_twice():
    driver = Driver(engines="a")
    with pytest.raises(ValueError, match="engine a has joined already"):
        driver.join("a")


def test_the_same_task_cannot_be_submitted_twice():
    driver = Driver(engines="a")
    driver.submit("1")
    with pytest.raises(ValueError, match="task 1 was submitted already"):
        driver.submit("1")


def test_the_id_of_a_task_that_has_ended_may_be_used_again():
    driver = Driver(engines="a")
    driver.submit("1")
    driver.finish("a", "1")
    assert driver.submit("1") == ["1>a"]


# ---- engines leave


def test_tasks_on_an_engine_that_dies_fail_and_say_why():
    driver = Driver(hwm=2, engines="a")
    driver.submit("123")
    driver.machine.engine_left("a", "killed by SIGKILL", 0.0)
    first, second = driver.machine.take()
    assert (first.job.msg_id, second.job.msg_id) == ("1", "2")
    assert type(first.error) is EngineError
    assert str(first.error) == "Engine 0 died while running task '1': killed by SIGKILL"
    assert driver.join("b") == ["3>b"]


def test_an_engine_nobody_knows_may_leave():
    assert Driver(engines="a").leave("x") == []


def test_the_answer_of_an_engine_given_up_for_dead_is_ignored():
    driver = Driver(engines="ab")
    driver.submit("1")
    driver.leave("a")
    assert driver.finish("a", "1") == []
    assert driver.give_back("a", "1") == []


def test_an_answer_from_the_wrong_engine_is_ignored():
    driver = Driver(engines="ab")
    driver.submit("1")
    assert driver.finish("b", "1") == []
    assert driver.finish("a", "1") == ["1=ok"]


# ---- restricted tasks


def test_a_restricted_task_waits_for_its_engine_while_another_is_idle():
    driver = Driver(hwm=1, engines="ab")
    driver.submit("1", targets="a")
    assert driver.submit("2", targets="a") == []
    assert driver.submit("3") == ["3>b"]
    assert driver.finish("a", "1") == ["1=ok", "2>a"]


def test_a_restricted_task_goes_to_the_target_with_least_to_do():
    driver = Driver(hwm=2, engines="abc")
    driver.submit("1", targets="a")
    assert driver.submit("2", targets="ab") == ["2>b"]


def test_first_come_first_served_between_restricted_and_other_tasks():
    driver = Driver(hwm=1, engines="a")
    driver.submit("1")
    driver.submit("2")
    driver.submit("3", targets="a")
    driver.submit("4")
    order = [driver.finish("a", i)[1:] for i in "1234"]
    assert order == [["2>a"], ["3>a"], ["4>a"], []]


def test_a_task_for_engines_that_are_not_there_fails_at_once():
    driver = Driver(engines="a")
    driver.machine.submitted(Job("1", Terms(frozenset(("x", "y")))), 0.0)
    (fail,) = driver.machine.take()
    assert type(fail.error) is ImpossibleDependency
    assert str(fail.error).endswith("task 1 is restricted to is there (any more): x, y")
    assert driver.machine.jobs == {}


def test_a_waiting_task_fails_when_the_last_of_its_targets_leaves():
    driver = Driver(hwm=1, engines="abc")
    driver.submit("12", targets="ab")
    driver.submit("3", targets="ab")
    assert driver.leave("a") == ["1!EngineError"]
    assert driver.leave("b") == ["2!EngineError", "3!ImpossibleDependency"]


def test_a_target_that_joins_later_takes_what_waits_for_it():
    driver = Driver(hwm=1, engines="a")
    driver.submit("12", targets="ab")
    assert driver.join("b") == ["2>b"]


class Payload:
    """Something that can tell when it is forgotten."""


def test_tasks_that_ended_elsewhere_are_not_kept_for_a_busy_engine():
    driver = Driver(hwm=1, engines="ab")
    driver.submit("1", targets="a")
    driver.submit("2", targets="b")
    payloads = weakref.WeakSet()
    for number in range(100):
        payload = Payload()
        payloads.add(payload)
        driver.machine.submitted(Job(f"short-{number}", Terms(frozenset("ab")), "", payload), 0.0)
    del payload
    assert len(payloads) == 100
    driver.finish("b", "2")
    for number in range(100):
        driver.finish("b", f"short-{number}")
    gc.collect()
    assert len(payloads) == 0


# ---- long tasks among short ones


def quick(engines):
    """Engines that have shown to be quick, and are idle."""
    driver = Driver(engines=engines)
    for uuid in engines:
        driver.submit([f"warm-{uuid}"], targets=uuid)
        driver.finish(uuid, f"warm-{uuid}")
    return driver


def queued(engines, msg_ids):
    """The same, but for the first, which holds these tasks."""
    driver = quick(engines)
    driver.submit(msg_ids, targets=engines[0])
    return driver


def test_what_waits_behind_a_long_task_is_asked_back_for_an_idle_engine():
    driver = quick("ab")
    assert driver.submit("1234") == ["1>a", "2>b", "3>a", "4>b"]
    driver.finish("b", "2")
    driver.finish("b", "4")
    assert driver.tick(LONG / 2) == []
    assert driver.tick(LONG / 2) == ["a<3"]
    assert driver.tick(LONG) == []  # asked once
    assert driver.give_back("a", "3") == ["3>b"]
    assert driver.finish("b", "3") == ["3=ok"]
    assert driver.finish("a", "1", 1.0) == ["1=ok"]


def test_nothing_is_asked_back_while_all_engines_are_busy():
    driver = queued("a", "123")
    assert driver.tick(10 * LONG) == []


@pytest.mark.parametrize("hwm", [0, 3])
def test_a_given_limit_is_obeyed_without_asking_back(hwm):
    driver = Driver(hwm=hwm, engines="ab")
    driver.submit("123", targets="a")
    assert driver.machine.patience(driver.now) is None
    assert driver.tick(10 * LONG) == []


def test_an_engine_asked_for_tasks_back_gets_none_before_it_has_answered():
    driver = queued("ab", "123")
    assert driver.tick(LONG) == ["a<2,3"]
    assert driver.submit("4", targets="a") == []
    assert driver.finish("a", "1") == ["1=ok"]
    # task 2 had begun; the next is its, too, but only after it
    assert driver.give_back("a", "3") == []
    assert driver.finish("a", "2", 1.0) == ["2=ok", "3>a"]
    assert driver.finish("a", "3", 1.0) == ["3=ok", "4>a"]


@pytest.mark.parametrize("answers", [("a4", "b5"), ("b5", "a4")])
def test_tasks_given_back_keep_their_place_in_the_order_of_submission(answers):
    driver = quick("abc")
    assert driver.submit("123456") == ["1>a", "2>b", "3>c", "4>a", "5>b", "6>c"]
    driver.finish("c", "3")
    driver.finish("c", "6", seconds=1.0)
    assert driver.tick(LONG) == ["a<4", "b<5"]
    assert driver.submit("7") == ["7>c"]
    assert driver.submit("8") == []
    for uuid, msg_id in answers:  # whichever engine answers first
        assert driver.give_back(uuid, msg_id) == []
    assert [driver.finish("c", i, 1.0)[1:] for i in "7458"] == [["4>c"], ["5>c"], ["8>c"], []]


def test_a_restricted_task_given_back_waits_behind_older_ones():
    driver = quick("ab")
    driver.machine.engines["b"].limit = 1
    driver.submit("1", targets="b")
    driver.submit("2", targets="b")  # waits
    driver.submit("34", targets="a")
    driver.submit("5", targets="ab")
    assert list(driver.machine.engines["a"].running) == ["3", "4", "5"]
    driver.join("c")
    assert driver.tick(LONG) == ["a<4,5"]
    assert driver.give_back("a", "5") == []
    assert [driver.finish("b", i, 1.0)[1:] for i in "125"] == [["2>b"], ["5>b"], []]


def test_an_engine_that_held_up_others_loses_its_trust():
    driver = queued("ab", "123")
    assert driver.machine.engines["a"].limit > 1
    driver.tick(LONG)
    driver.give_back("a", "")
    assert driver.machine.engines["a"].limit == 1
    assert driver.finish("a", "1", SHORT) == ["1=ok"]
    assert driver.machine.engines["a"].limit == 1


def test_time_matters_only_while_an_engine_holds_several():
    driver = queued("ab", "12")
    assert driver.machine.patience(driver.now) == LONG
    driver.finish("a", "1")
    assert driver.machine.patience(driver.now) is None
