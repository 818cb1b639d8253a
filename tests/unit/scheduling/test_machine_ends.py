"""How tasks end that do not simply succeed: retries, what engines lack, time, deaths."""

import pytest

from ipyparallel.error import DependencyTimeout, EngineError, ImpossibleDependency, TaskTimeout
from ipyparallel.scheduling.board import REPLACEMENT
from ipyparallel.scheduling.machine import GRACE, LONG, Verdict
from tests.support.machine_driver import SHORT, Driver

# ---- retries


def test_a_task_that_fails_fails():
    driver = Driver(engines="a")
    driver.submit("1")
    assert driver.fail("a", "1") == ["1=error"]
    assert driver.machine.jobs == {}


def test_a_task_is_tried_again_as_often_as_it_may_be():
    driver = Driver(engines="a")
    assert driver.submit("1", retries=2) == ["1>a"]
    assert driver.fail("a", "1") == ["1>a"]
    assert driver.fail("a", "1") == ["1>a"]
    assert driver.machine.jobs["1"].attempt == 3
    assert driver.fail("a", "1") == ["1=error"]


def test_one_that_succeeds_at_last_has_succeeded():
    driver = Driver(engines="a")
    driver.submit("1", retries=5)
    driver.fail("a", "1")
    assert driver.finish("a", "1") == ["1=ok"]


def test_another_engine_tries_as_long_as_there_is_one():
    driver = Driver(hwm=1, engines="abc")
    assert driver.submit("1", retries=9) == ["1>a"]
    assert driver.fail("a", "1") == ["1>b"]
    assert driver.fail("b", "1") == ["1>c"]
    assert driver.fail("c", "1") == ["1>a"]  # all have failed: all may try again
    assert driver.fail("a", "1") == ["1>b"]


def test_it_waits_for_another_engine_while_the_one_that_failed_is_idle():
    driver = Driver(hwm=1, engines="ab")
    assert driver.submit("12", retries=1) == ["1>a", "2>b"]
    assert driver.fail("a", "1") == []
    assert driver.submit("3") == ["3>a"]
    assert driver.finish("b", "2") == ["2=ok", "1>b"]


def test_when_the_other_engine_dies_the_one_that_failed_tries_again():
    driver = Driver(hwm=1, engines="ab")
    driver.submit("12", retries=1)
    assert driver.fail("a", "1") == []
    assert driver.leave("b") == ["1>a"]  # task 2 as well, which avoids b
    assert driver.finish("a", "1") == ["1=ok", "2>a"]


def test_a_restricted_one_stays_where_it_may_run():
    driver = Driver(hwm=1, engines="abc")
    assert driver.submit("1", "ab", retries=2) == ["1>a"]
    assert driver.fail("a", "1") == ["1>b"]
    assert driver.fail("b", "1") == ["1>a"]
    assert driver.submit("2", "a", retries=1) == []
    assert driver.fail("a", "1") == ["1=error", "2>a"]
    assert driver.fail("a", "2") == ["2>a"]


def test_one_that_is_of_no_use_to_try_again_is_not():
    driver = Driver(engines="a")
    driver.submit("1", retries=5)
    assert driver.finish("a", "1", verdict=Verdict.FAILED_FOR_GOOD) == ["1=error"]


def test_an_engine_that_dies_counts_as_a_failure():
    driver = Driver(hwm=1, engines="abc")
    driver.submit("1", retries=1)
    assert driver.leave("a", "killed by SIGKILL") == ["1>b"]
    assert driver.leave("b", "killed by SIGSEGV") == ["1!EngineError"]
    assert driver.error("1") == "Engine 1 died while running task '1': killed by SIGSEGV"


def test_one_whose_engines_have_all_died_waits_for_a_new_one():
    driver = Driver(hwm=1, engines="a")
    driver.submit("1", retries=1)
    assert driver.leave("a") == []
    assert driver.join("b") == ["1>b"]


def test_those_tried_again_keep_their_place():
    driver = Driver(hwm=3, engines="a")
    driver.submit("123456", retries=1)
    driver.leave("a")
    assert driver.join("b") == ["1>b", "2>b", "3>b"]


def test_who_depends_on_it_hears_of_the_last_try_only():
    driver = Driver(hwm=1, engines="ab")
    driver.submit("1", retries=1)
    assert driver.submit("2", after="1") == []
    assert driver.fail("a", "1") == ["1>b"]
    assert driver.finish("b", "1") == ["1=ok", "2>a"]


# ---- what engines lack


def test_a_task_that_lacks_something_is_tried_everywhere_and_then_told_what():
    driver = Driver(hwm=1, engines="abc")
    assert driver.submit("1") == ["1>a"]
    assert driver.unmet("a", "1", "NameError: x") == ["1>b"]
    assert driver.unmet("b", "1", "NameError: y") == ["1>c"]
    assert driver.unmet("c", "1", "NameError: z") == ["1!ImpossibleDependency"]
    assert driver.error("1") == (
        "no engine meets what task 1 requires (3 were tried); the last one said: NameError: z"
    )


def test_to_lack_something_uses_up_no_retries():
    driver = Driver(hwm=1, engines="ab")
    driver.submit("1", retries=1)
    assert driver.unmet("a", "1") == ["1>b"]
    assert driver.fail("b", "1") == ["1>b"]  # a lacks what it requires
    assert driver.fail("b", "1") == ["1=error"]


def test_what_was_said_is_told_too_when_the_engines_that_were_left_die():
    driver = Driver(hwm=1, engines="ab")
    driver.submit("12")
    assert driver.unmet("a", "1", "NameError: x") == []
    assert driver.leave("b") == ["2!EngineError", "1!ImpossibleDependency"]
    assert driver.error("1").endswith("(1 were tried); the last one said: NameError: x")


def test_an_engine_that_comes_may_have_what_others_lack():
    driver = Driver(hwm=1, engines="ab")
    driver.submit("12")
    assert driver.unmet("a", "1") == []
    assert driver.join("c") == ["1>c"]


def test_a_restricted_one_is_tried_on_its_targets_only():
    driver = Driver(hwm=1, engines="abc")
    driver.submit("1", "ab")
    assert driver.unmet("a", "1") == ["1>b"]
    assert driver.unmet("b", "1") == ["1!ImpossibleDependency"]


# ---- waiting too long


def test_a_task_may_wait_for_an_engine_for_some_time():
    driver = Driver(hwm=1)
    driver.submit("1", timeout=2.0)
    driver.submit("2", "", timeout=1.0, priority=1)
    assert driver.machine.patience(driver.now) == 1.0
    assert driver.tick(1.0) == ["2!DependencyTimeout"]
    assert driver.error("2") == "task 2 has waited for 1 s, the longest that it may"
    assert isinstance(driver.failed["2"].error, TaskTimeout)
    assert driver.machine.patience(driver.now) == 1.0
    assert driver.tick(0.9) == []
    assert driver.tick(0.1) == ["1!DependencyTimeout"]
    assert driver.machine.patience(driver.now) is None
    assert driver.join("a") == []


def test_a_task_may_wait_for_others_for_some_time():
    driver = Driver(hwm=1, engines="a")
    driver.submit("1")
    driver.submit("2", after="1", timeout=1.0)
    driver.submit("3", after="2")
    assert driver.tick(1.0) == ["2!DependencyTimeout", "3!ImpossibleDependency"]
    assert driver.finish("a", "1") == ["1=ok"]


def test_to_wait_for_others_and_then_for_an_engine_is_one_waiting():
    driver = Driver(hwm=1, engines="ab")
    driver.submit("12")
    driver.submit("3", after="1", targets="b", timeout=1.0)
    driver.tick(0.6)
    assert driver.finish("a", "1") == ["1=ok"]
    assert driver.tick(0.4) == ["3!DependencyTimeout"]


def test_one_that_runs_waits_no_more():
    driver = Driver(hwm=1, engines="a")
    driver.submit("1", timeout=1.0)
    assert driver.machine.patience(driver.now) is None
    assert driver.tick(100.0) == []
    assert driver.finish("a", "1") == ["1=ok"]


def test_each_try_may_wait_as_long():
    driver = Driver(hwm=1, engines="ab")
    driver.submit("12", timeout=1.0, retries=1)
    driver.tick(10.0)
    assert driver.fail("a", "1") == []
    assert driver.tick(0.9) == []
    assert driver.tick(0.1) == ["1!DependencyTimeout"]


def queued(msg_ids, engines="a", **asked):
    """Tasks that the first engine holds, since it has shown to be quick."""
    driver = Driver(engines=engines)
    driver.submit(["warm"], "a")
    driver.finish("a", "warm")
    driver.submit(msg_ids[:1], "a")
    driver.submit(msg_ids[1:], "a", **asked)
    assert list(driver.machine.engines["a"].running) == list(msg_ids)
    return driver


def test_those_that_wait_on_their_engine_are_asked_back():
    driver = queued("1234", timeout=1.0)
    driver.machine.cancel("2", "q", 0.0)
    driver.answer_cancel("a", t2="queued")
    assert driver.tick(0.9) == []
    assert driver.tick(0.1) == ["a<3,4"]
    assert driver.give_back("a", "34") == ["3!DependencyTimeout", "4!DependencyTimeout"]
    assert driver.finish("a", "1") == ["1=ok"]


def test_if_it_has_begun_meanwhile_it_runs_to_its_end():
    driver = queued("12", timeout=1.0)
    assert driver.tick(1.0) == ["a<2"]
    assert driver.give_back("a", "") == []
    assert driver.finish("a", "1") == ["1=ok"]
    assert driver.tick(10.0) == []
    assert driver.finish("a", "2") == ["2=ok"]


def test_one_whose_time_ends_while_others_are_asked_back_is_asked_back_after_them():
    driver = queued("12", timeout=2.0)
    driver.submit("3", "a", timeout=1.0)
    assert driver.tick(1.0) == ["a<3"]
    assert driver.tick(1.0) == []  # the engine has not answered yet
    assert driver.machine.patience(driver.now) <= LONG
    assert driver.give_back("a", "3") == ["3!DependencyTimeout"]
    assert driver.tick(LONG) == ["a<2"]
    assert driver.give_back("a", "2") == ["2!DependencyTimeout"]


def test_one_that_comes_back_from_its_engine_has_waited_there_too():
    driver = queued("12", engines="ab", timeout=1.0)
    driver.submit("3", "b")
    driver.machine.engines["b"].limit = 1
    driver.tick(0.5)
    assert driver.finish("b", "3", 1.0) == ["3=ok"]
    assert driver.tick(0.1) == ["a<2"]
    assert driver.give_back("a", "2") == []  # may run on a alone
    assert driver.tick(0.4) == ["2!DependencyTimeout"]


# ---- running too long


def running(**asked):
    """A task on an engine, another behind it, and a second engine that is idle."""
    driver = Driver(hwm=2, engines="ab")
    assert driver.submit("1", "a", time_limit=1.0, **asked) == ["1>a"]
    assert driver.submit("2", "a") == ["2>a"]
    return driver


def test_one_over_its_limit_is_interrupted_and_its_client_told():
    driver = running()
    assert driver.machine.patience(driver.now) == 1.0
    assert driver.tick(0.9) == []
    assert driver.tick(0.1) == ["a~1"]
    assert driver.answer_cancel("a", t1="running") == []
    assert driver.tick(GRACE / 2) == []
    assert driver.finish("a", "1", verdict=Verdict.FAILED) == ["1!TaskTimeout"]
    assert driver.error("1") == "task 1 ran longer than its time limit of 1 s"
    assert not isinstance(driver.failed["1"].error, DependencyTimeout)
    assert driver.tick(100.0) == []
    assert driver.finish("a", "2") == ["2=ok"]


def test_one_that_ends_well_in_its_grace_has_ended_well():
    driver = running()
    driver.tick(1.0)
    assert driver.finish("a", "1") == ["1=ok"]
    assert driver.tick(100.0) == []


def test_an_engine_that_does_not_obey_is_replaced_and_what_stood_behind_runs_elsewhere():
    driver = running()
    driver.submit("3", "ab", time_limit=9.0)
    assert driver.finish("b", "3") == ["3=ok"]
    driver.submit("4")
    driver.submit("5", "")
    driver.tick(1.0)
    assert driver.tick(GRACE) == ["a#"]
    assert driver.submit("6", "a") == []  # it gets nothing any more
    assert driver.leave("a", "was replaced") == [
        "1!TaskTimeout",
        "2!ImpossibleDependency",  # it might run on a alone, as said, and uuids do not come again
        "6!ImpossibleDependency",
    ]


def test_what_stood_behind_and_may_run_anywhere_runs_elsewhere():
    driver = Driver(hwm=3, engines="a")
    driver.submit("1", time_limit=1.0)
    driver.submit("23")
    driver.tick(1.0)
    assert driver.tick(GRACE) == ["a#"]
    assert driver.join("b") == []
    assert driver.leave("a") == ["1!TaskTimeout", "2>b", "3>b"]
    assert driver.machine.jobs["2"].attempt == 2


def test_the_time_of_one_counts_from_when_those_before_it_have_ended():
    driver = Driver(hwm=2, engines="a")
    driver.submit("1")
    driver.submit("2", time_limit=1.0)
    assert driver.tick(50.0) == []
    driver.finish("a", "1")
    assert driver.tick(0.9) == []
    assert driver.tick(0.1) == ["a~2"]


def test_the_time_of_one_counts_when_the_one_before_it_waits_for_others():
    driver = Driver(hwm=2, engines="a")
    driver.submit("1")
    driver.submit("2", time_limit=1.0)
    assert driver.pause("a", "1") == []
    assert driver.tick(1.0) == ["a~2"]


def test_the_time_of_one_counts_when_the_one_before_it_was_given_back():
    driver = Driver(hwm=2, engines="a")
    driver.submit("12", time_limit=1.0)
    driver.cancel("1")
    assert driver.answer_cancel("a", t1="queued") == ["1-", "q:1=q"]
    assert driver.tick(1.0) == ["a~2"]


def test_one_that_seemed_to_run_and_was_queued_runs_elsewhere():
    """Its engine was busy with what was sent to it directly."""
    driver = Driver(hwm=1, engines="ab")
    assert driver.submit("1", time_limit=1.0) == ["1>a"]
    assert driver.tick(1.0) == ["a~1"]
    assert driver.answer_cancel("a", t1="queued") == ["1>b"]
    assert driver.tick(0.9) == []
    assert driver.tick(0.1) == ["b~1"]  # its time counts anew
    assert driver.machine.engines["a"].load == 0


def test_one_that_ran_too_long_is_tried_again_if_it_may_be():
    driver = running(retries=1)
    driver.tick(1.0)
    assert driver.finish("a", "1", verdict=Verdict.FAILED_FOR_GOOD) == ["1>a"]
    driver.finish("a", "2")
    assert driver.tick(1.0) == ["a~1"]
    assert driver.fail("a", "1") == ["1!TaskTimeout"]


def test_an_engine_to_be_replaced_gets_nothing_even_when_its_task_ends_after_all():
    for verdict in Verdict:
        driver = Driver(hwm=1, engines="ab")
        driver.submit("1", time_limit=1.0)
        driver.submit("2")
        driver.tick(1.0)
        assert driver.tick(GRACE) == ["a#"]
        driver.finish("a", "1", verdict=verdict)
        assert driver.submit("3") == []
        assert driver.leave("a") == []
        assert driver.join("c", engine_id=0) == ["3>c"]


def test_an_engine_that_can_not_be_replaced_works_on():
    driver = Driver(hwm=1, engines="a")
    driver.submit("1", time_limit=1.0)
    driver.submit("2")
    driver.tick(1.0)
    assert driver.tick(GRACE) == ["a#"]
    assert driver.finish("a", "1") == ["1=ok"]
    assert driver.machine.patience(driver.now) == REPLACEMENT
    assert driver.tick(REPLACEMENT - 1) == []
    assert driver.tick(1) == ["2>a"]
    assert driver.machine.patience(driver.now) is None


def test_one_whose_engine_dies_in_its_grace_ran_too_long():
    driver = running()
    driver.tick(1.0)
    assert driver.leave("a", "killed by SIGKILL")[0] == "1!TaskTimeout"


# ---- deaths


def test_of_those_on_an_engine_that_dies_each_ends_as_it_was_asked_for():
    driver = Driver(hwm=0, engines="a")
    driver.submit("1")
    driver.submit("2", retries=1)
    driver.submit("3", "a", retries=1)
    driver.submit("4", after="1")
    driver.submit("5", after="2")
    driver.join("b")
    assert driver.leave("a", "was stopped") == [
        "1!EngineError",
        "2>b",
        "3!ImpossibleDependency",
        "4!ImpossibleDependency",
    ]
    assert type(driver.failed["1"].error) is EngineError
    assert type(driver.failed["4"].error) is ImpossibleDependency
    assert driver.finish("b", "2") == ["2=ok", "5>b"]


@pytest.mark.parametrize("seconds", [SHORT, 5.0])
def test_the_answer_of_one_that_died_is_not_heard_and_the_new_try_counts(seconds):
    driver = Driver(hwm=1, engines="ab")
    driver.submit("1", retries=1)
    driver.leave("a")
    assert driver.finish("a", "1", seconds) == []
    assert driver.finish("b", "1", seconds) == ["1=ok"]
