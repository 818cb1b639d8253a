"""Engines out of reach, and engines that come back with what they hold."""

import pytest

from ipyparallel.error import EngineError
from ipyparallel.scheduling.machine import GRACE, Verdict
from ipyparallel.scheduling.state import Job, adopt
from tests.support.machine_driver import Driver, terms


@pytest.fixture
def driver():
    return Driver(engines="ab")


def come_back(driver, uuid, *held):
    driver.machine.engine_joined(uuid, 0, driver.now, None, held)
    return driver.take()


def claim(driver, msg_id, payload="mine", **asked):
    driver.machine.claimed(Job(msg_id, terms(**asked), "me", payload), driver.now)
    return driver.take()


def test_what_it_had_answered_before_is_awaited_once_more():
    driver = Driver()
    driver.machine.ended_before("known_1", ok=True, uuid="")
    driver.machine.engine_joined("a", 0, driver.now, None, ["held_1"], ["known_1", "new_1#2"])
    assert sorted(driver.machine.jobs) == ["held_1", "new_1"]
    assert driver.machine.engines["a"].head.msg_id == "held_1"
    assert claim(driver, "new_1") == []  # it is not sent again
    assert driver.finish("a", "new_1") == ["new_1=ok"]


def test_what_it_answered_again_before_it_was_known_to_be_there_is_not_awaited():
    driver = Driver()
    driver.machine.answered_unasked("a", "early_1", ok=True)
    driver.machine.engine_joined("a", 0, driver.now, None, [], ["early_1", "late_1"])
    assert list(driver.machine.jobs) == ["late_1"]
    driver.machine.results_lost("a", ["late_1"], driver.now)  # it does not have it any more
    assert not driver.machine.jobs
    driver.take()
    assert driver.submit("1") == ["1>a"]


# ---- away


def test_an_engine_that_is_away_gets_nothing_new(driver):
    driver.machine.engine_away("a")
    assert driver.submit("12") == ["1>b"]
    driver.machine.engine_back("a", driver.now)
    assert driver.take() == ["2>a"]


def test_it_keeps_what_it_has_and_may_answer(driver):
    driver.submit("1", targets="a")
    driver.machine.engine_away("a")
    assert driver.finish("a", "1") == ["1=ok"]


def test_what_only_it_may_run_waits_for_it(driver):
    driver.machine.engine_away("a")
    assert driver.submit("1", targets="a") == []
    assert driver.leave("a") == ["1!ImpossibleDependency"]


def test_an_idle_engine_that_is_away_is_no_reason_to_ask_back():
    driver = Driver(engines="ab")
    driver.submit("1", targets="a")
    driver.finish("a", "1")
    driver.machine.engine_away("b")
    assert driver.submit("23") == ["2>a", "3>a"]
    assert driver.tick(1.0) == []
    driver.machine.engine_back("b", driver.now)
    assert driver.tick(1.0) == ["a<3"]


def test_one_that_could_not_be_reached_gets_tasks_when_it_can(driver):
    driver.submit("1", targets="a")
    driver.machine.not_sent("a", "1", driver.now)
    assert driver.take() == []
    driver.machine.engine_reached("a", driver.now)
    assert driver.take() == ["1>a"]


@pytest.mark.parametrize("name", ["engine_away", "sendings", "errands_lost"])
def test_engines_that_are_not_known_do_not_matter(driver, name):
    assert not getattr(driver.machine, name)("x")
    for method in ("engine_back", "engine_reached"):
        getattr(driver.machine, method)("x", 0.0)
    for method in ("holds", "never_came", "results_lost"):
        getattr(driver.machine, method)("x", ["1"], 0.0)
    assert driver.take() == []


# ---- lost on the way


def test_what_never_came_is_sent_again_and_costs_no_retry(driver):
    driver.submit("1")
    driver.machine.never_came("a", ["1"], driver.now)
    assert driver.take() == ["1>b"]
    assert driver.machine.sendings("a") == []
    assert driver.machine.sendings("b") == ["1#2"]


def test_news_of_an_earlier_sending_are_old():
    driver = Driver(engines="a")
    driver.submit("1")
    driver.machine.never_came("a", ["1"], driver.now)
    driver.take()
    driver.machine.never_came("a", ["1"], driver.now)
    driver.machine.results_lost("a", ["1"], driver.now)
    assert driver.take() == []


def test_a_result_that_was_lost_fails_the_task(driver):
    driver.submit("1")
    driver.machine.results_lost("a", ["1"], driver.now)
    assert driver.take() == ["1!EngineError"]
    assert "the result was lost" in driver.error("1")


def test_unless_it_may_be_tried_again(driver):
    driver.submit("1", retries=1)
    driver.machine.results_lost("a", ["1"], driver.now)
    assert driver.take() == ["1>b"]


def test_what_was_asked_is_asked_again():
    driver = Driver(hwm=0, engines="a")
    driver.submit("123", time_limit=1.0)
    driver.cancel("2")
    assert driver.tick(1.0) == ["a~1"]
    driver.machine.errands_lost("a")
    assert driver.take() == ["a~1,2"]
    assert driver.answer_cancel("a", t1="running", t2="queued") == ["2-", "q:2=q"]


# ---- brought along


def test_a_task_that_is_brought_along_takes_its_engines_time(driver):
    driver.leave("a")
    come_back(driver, "a", "x")
    assert driver.submit("12") == ["1>b"]
    assert driver.finish("a", "x") == ["x=ok", "2>a"]


def test_a_client_may_claim_it(driver):
    driver.leave("a")
    come_back(driver, "a", "x#2")
    assert driver.machine.sendings("a") == ["x#2"]
    assert claim(driver, "x", retries=1) == []
    assert driver.machine.jobs["x"].payload == "mine"
    assert driver.fail("a", "x") == ["x>b"]


def test_one_that_nobody_has_claimed_fails_with_its_engine(driver):
    driver.leave("a")
    come_back(driver, "a", "x")
    assert driver.leave("a") == ["x!EngineError"]


def test_nobody_can_send_it_anew(driver):
    driver.leave("a")
    come_back(driver, "a", "x")
    driver.machine.never_came("a", ["x"], driver.now)
    assert driver.take() == ["x!EngineError"]
    assert isinstance(driver.failed["x"].error, EngineError)


def test_a_time_limit_counts_from_the_claim(driver):
    driver.leave("a")
    come_back(driver, "a", "x")
    driver.tick(10.0)
    claim(driver, "x", time_limit=1.0)
    assert driver.tick(0.9) == []
    assert driver.tick(0.1) == ["a~x"]
    assert driver.tick(GRACE) == ["a#"]


def test_one_that_is_to_be_sent_is_found_at_its_engine():
    driver = Driver()
    driver.submit("x")
    assert come_back(driver, "a", "x") == []
    assert driver.finish("a", "x") == ["x=ok"]


def test_one_that_waited_for_others_too():
    driver = Driver()
    driver.submit("y")
    driver.submit("x", after="y")
    assert come_back(driver, "a", "x") == []
    assert driver.finish("a", "x") == ["x=ok", "y>a"]


def test_one_that_was_sent_elsewhere_meanwhile_stays_there(driver):
    driver.submit("1", retries=1)
    assert driver.leave("a") == ["1>b"]
    come_back(driver, "a", "1")
    assert driver.finish("a", "1") == []
    assert driver.finish("b", "1") == ["1=ok"]


def test_what_it_tells_later_counts_as_well(driver):
    driver.machine.holds("a", ["x", "y"], driver.now)
    assert driver.submit("1") == ["1>b"]
    driver.finish("a", "x", verdict=Verdict.ABORTED)
    assert driver.machine.sendings("a") == ["y"]


@pytest.mark.parametrize(
    ("sending", "msg_id", "attempt"), [("x", "x", 1), ("x#3", "x", 3), ("x#y", "x", 1)]
)
def test_how_it_was_sent_is_kept(sending, msg_id, attempt):
    job = adopt(sending)
    assert (job.msg_id, job.attempt) == (msg_id, attempt)
