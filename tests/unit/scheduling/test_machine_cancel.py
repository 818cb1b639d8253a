"""Cancelling: tasks that wait end at once, engines are asked for the others, who asked is told."""

import pytest

from ipyparallel.scheduling.commands import Cancel
from ipyparallel.scheduling.machine import Verdict
from tests.support.machine_driver import Driver


def test_tasks_that_wait_are_aborted_at_once():
    driver = Driver(hwm=1, engines="ab")
    driver.submit("1")
    driver.submit("2", "a")
    driver.submit("3", after="1")
    assert driver.cancel("23") == ["2-", "3-", "q:2=w,3=w"]
    assert driver.finish("a", "1") == ["1=ok"]


def test_tasks_that_have_ended_or_never_were_are_said_to_be_finished():
    driver = Driver(engines="a")
    driver.submit("1")
    driver.finish("a", "1")
    assert driver.cancel("1x") == ["q:1=f,x=f"]
    assert driver.cancel("") == ["q:"]


def test_the_engine_of_a_task_is_asked_and_the_answer_waits_for_it():
    driver = Driver(hwm=0, engines="ab")
    assert driver.submit("1234") == ["1>a", "2>b", "3>a", "4>b"]
    driver.leave("x")
    assert driver.cancel("1349") == ["a~1,3", "b~4"]
    assert driver.answer_cancel("a", t1="running", t3="queued") == ["3-"]
    assert driver.answer_cancel("b", t4="queued") == ["4-", "q:1=r,3=q,4=q,9=f"]
    assert driver.fail("a", "1") == ["1=error"]
    assert driver.finish("b", "2") == ["2=ok"]


def test_one_that_ends_before_the_engine_answers_has_finished():
    driver = Driver(hwm=1, engines="a")
    driver.submit("1")
    assert driver.cancel("1") == ["a~1"]
    assert driver.finish("a", "1") == ["1=ok", "q:1=f"]
    assert driver.answer_cancel("a", t1="finished") == []


def test_one_that_the_engine_has_finished_is_told_of_by_its_reply():
    driver = Driver(hwm=1, engines="a")
    driver.submit("1")
    driver.cancel("1")
    assert driver.answer_cancel("a", t1="finished") == ["q:1=f"]
    assert "1" in driver.machine.jobs
    assert driver.finish("a", "1") == ["1=ok"]


@pytest.mark.parametrize("verdict", [Verdict.FAILED, Verdict.FAILED_FOR_GOOD, Verdict.UNMET])
def test_one_that_is_cancelled_is_not_tried_again(verdict):
    driver = Driver(hwm=1, engines="ab")
    driver.submit("1", retries=3)
    driver.cancel("1")
    driver.answer_cancel("a", t1="running")
    assert driver.finish("a", "1", verdict=verdict) == ["1=error"]


def test_one_that_is_cancelled_and_ends_well_has_ended_well():
    driver = Driver(hwm=1, engines="a")
    driver.submit("1")
    driver.cancel("1")
    assert driver.answer_cancel("a", t1="running") == ["q:1=r"]
    assert driver.finish("a", "1") == ["1=ok"]


def test_several_may_ask_and_each_is_told_once():
    driver = Driver(hwm=1, engines="a")
    driver.submit("12")
    assert driver.cancel("1", "q") == ["a~1"]
    assert driver.cancel("12", "r") == ["2-", "a~1"]
    assert driver.answer_cancel("a", t1="running") == ["q:1=r", "r:1=r,2=w"]
    assert driver.cancel("1", "s") == ["a~1"]
    assert driver.fail("a", "1") == ["1=error", "s:1=f"]
    assert driver.answer_cancel("a", t1="finished") == []


def test_an_id_named_twice_counts_once():
    driver = Driver(hwm=1, engines="a")
    driver.submit("12")
    assert driver.cancel("1212") == ["2-", "a~1"]
    assert driver.answer_cancel("a", t1="running") == ["q:1=r,2=w"]


def test_what_an_engine_drops_makes_room_for_others():
    driver = Driver(hwm=2, engines="a", resources={"gpu": 1})
    driver.submit("1")
    driver.submit("2", resources={"gpu": 1})
    driver.submit("34", resources={"gpu": 1})
    driver.cancel("2")
    assert driver.answer_cancel("a", t2="queued") == ["2-", "q:2=q", "3>a"]


def test_when_the_engine_dies_who_asked_is_told():
    driver = Driver(hwm=1, engines="ab")
    driver.submit("1", retries=3)
    driver.cancel("1")
    assert driver.leave("a") == ["q:1=r", "1!EngineError"]
    assert driver.machine._cancellations._asked == {}


def test_one_that_is_given_back_before_the_engine_answers_was_queued():
    driver = Driver(engines="a")
    driver.submit(["warm"])
    driver.finish("a", "warm")
    driver.submit("123")
    driver.join("b")
    driver.tick(1.0)
    assert driver.cancel("3") == ["a~3"]
    assert driver.give_back("a", "23") == ["q:3=q", "3-", "2>b"]
    assert driver.answer_cancel("a", t3="queued") == []


def test_what_depends_on_one_that_is_cancelled_can_not_run():
    driver = Driver(hwm=1, engines="a")
    driver.submit("12")
    driver.submit("3", after="2")
    driver.submit("4", after="3")
    driver.submit("5", after="1")
    assert driver.cancel("2") == ["2-", "q:2=w", "3!ImpossibleDependency", "4!ImpossibleDependency"]
    assert driver.finish("a", "1") == ["1=ok", "5>a"]


def test_of_a_chain_that_is_cancelled_at_once_each_is_aborted():
    driver = Driver(hwm=1, engines="a")
    driver.submit("12")
    driver.submit("3", after="2")
    driver.submit("4", after="3")
    assert driver.cancel("234") == ["2-", "3-", "4-", "q:2=w,3=w,4=w"]


@pytest.mark.parametrize("outcome", ["queued", "running", "finished", "nonsense"])
def test_answers_about_what_an_engine_does_not_hold_change_nothing(outcome):
    driver = Driver(hwm=1, engines="ab")
    driver.submit("12")
    assert driver.answer_cancel("a", t2=outcome, t9=outcome) == []
    assert driver.answer_cancel("x", t1=outcome) == []
    assert driver.finish("b", "2") == ["2=ok"]


def test_very_many_are_cancelled_and_nothing_is_left():
    driver = Driver(hwm=1, engines="a")
    ids = [str(number) for number in range(20_000)]
    driver.submit(ids)
    driver.submit(["last"])
    commands = driver.cancel(ids[1:])
    assert commands[-1].count("=w") == len(ids) - 1
    assert list(driver.machine.jobs) == ["0", "last"]
    assert driver.finish("a", "0") == ["0=ok", "last>a"]


def test_what_runs_is_spared_if_it_is_not_to_be_interrupted():
    driver = Driver(hwm=1, engines="a")
    driver.submit("12", retries=1)
    driver.machine.cancel("12", "q", 0.0, interrupt=False)
    commands = driver.machine.take()
    (cancel,) = [command for command in commands if isinstance(command, Cancel)]
    assert not cancel.interrupt
    driver.machine.cancelled("a", {"1": "spared"}, 0.0)
    (answer,) = driver.machine.take()
    assert answer.outcomes == {"1": "spared", "2": "waiting"}
    # it is as it was: a failure is not its end
    assert not driver.machine.jobs["1"].cancelled
