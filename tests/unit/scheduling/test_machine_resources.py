"""What tasks need of what engines have: who gets it, who keeps it, and when it can not be had."""

from ipyparallel.scheduling.board import REPLACEMENT
from ipyparallel.scheduling.machine import GRACE
from tests.support.machine_driver import Driver

ONE, TWO = {"gpu": 1}, {"gpu": 2}


def gpus(number=2, engines="a"):
    """Engines that may hold any number of tasks, and have this many of them."""
    return Driver(hwm=0, engines=engines, resources={"gpu": number})


def test_tasks_take_what_they_need_and_give_it_back():
    driver = gpus(2)
    assert driver.submit("123", resources=ONE) == ["1>a", "2>a"]
    assert driver.machine.engines["a"].free == {"gpu": 0}
    assert driver.submit("4") == ["4>a"]  # it needs nothing
    assert driver.finish("a", "1") == ["1=ok", "3>a"]
    driver.finish("a", "2")
    driver.fail("a", "3")
    assert driver.machine.engines["a"].free == {"gpu": 2}


def test_a_task_goes_where_it_fits():
    driver = Driver(hwm=0)
    driver.join("a")
    driver.join("b", ONE)
    driver.join("c", {"gpu": 4, "mem": 16})
    assert driver.submit("1", resources=ONE) == ["1>b"]
    assert driver.submit("2", resources=TWO) == ["2>c"]
    assert driver.submit("3", resources={"gpu": 1, "mem": 16}) == ["3>c"]
    assert driver.submit("4", resources={"mem": 0.5}) == []


def test_one_that_fits_nowhere_is_told_at_once_what_it_needs():
    driver = gpus(1)
    assert driver.submit("1", resources={"gpu": 2, "mem": 0.5}) == ["1!ImpossibleDependency"]
    assert driver.error("1") == (
        "task 1 needs gpu=2, mem=0.5, and no engine that may run it has that much"
    )
    driver.join("b", {"gpu": 4})
    assert driver.submit("2", "a", resources=TWO) == ["2!ImpossibleDependency"]
    assert driver.submit("3", "ab", resources=TWO) == ["3>b"]


def test_one_that_depends_on_others_is_told_at_once_too():
    driver = gpus(1)
    driver.submit("1")
    assert driver.submit("2", after="1", resources=TWO) == ["2!ImpossibleDependency"]


def test_one_is_told_when_the_last_engine_that_has_enough_dies():
    driver = Driver(hwm=0, engines="a")
    driver.join("b", ONE)
    driver.submit("12", resources=ONE)
    assert driver.leave("b") == ["1!EngineError", "2!ImpossibleDependency"]


def test_before_there_are_engines_it_waits_and_for_some_time_after():
    driver = Driver(hwm=0)
    assert driver.submit("12", resources=ONE) == []
    assert driver.tick(1000.0) == []
    driver.join("a")
    driver.tick(REPLACEMENT - 1)
    driver.join("b", ONE)  # the other one of them, which starts slowly
    assert list(driver.machine.engines["b"].running) == ["1"]
    assert driver.machine.patience(driver.now) is None
    assert driver.tick(1000.0) == []


def test_when_no_engine_that_comes_has_enough_it_is_told():
    driver = Driver(hwm=0)
    driver.submit("1", resources=ONE)
    driver.submit("2", after="1")
    driver.join("a")
    assert driver.machine.patience(driver.now) == REPLACEMENT
    assert driver.tick(REPLACEMENT - 1) == []
    driver.join("b")  # others may come
    assert driver.tick(1) == []
    assert driver.tick(REPLACEMENT - 1) == ["1!ImpossibleDependency", "2!ImpossibleDependency"]
    assert driver.machine.patience(driver.now) is None


# ---- a big one


def test_a_big_one_is_not_starved_by_small_ones():
    driver = gpus(2)
    assert driver.submit("12", resources=ONE) == ["1>a", "2>a"]
    assert driver.submit("3", resources=TWO) == []
    assert driver.submit("456", resources=ONE) == []
    assert driver.finish("a", "1") == ["1=ok"]  # kept for 3
    assert driver.finish("a", "2") == ["2=ok", "3>a"]
    assert driver.finish("a", "3") == ["3=ok", "4>a", "5>a"]


def test_what_it_does_not_need_is_not_kept_for_it():
    driver = Driver(hwm=0, engines="a", resources={"gpu": 2, "mem": 1})
    driver.submit("1", resources=ONE)
    driver.submit("2", resources=TWO)
    assert driver.submit("3", resources={"mem": 1}) == ["3>a"]
    assert driver.submit("4") == ["4>a"]


def test_one_of_a_higher_priority_is_not_held_up_by_it():
    driver = gpus(2)
    driver.submit("1", resources=ONE)
    driver.submit("2", resources=TWO)
    driver.submit("3", resources=ONE)
    assert driver.submit("4", resources=ONE, priority=1) == ["4>a"]


def test_what_is_kept_elsewhere_is_given_when_the_big_one_runs():
    driver = gpus(2, "ab")
    driver.submit("1", "a", resources=ONE)
    driver.submit("2", "b", resources=ONE)
    assert driver.submit("3", resources=TWO) == []
    assert driver.submit("45", resources=ONE) == []
    # the one of a is given to the big one; that of b was kept for it, too
    assert driver.finish("a", "1") == ["1=ok", "3>a", "4>b"]


def test_what_was_kept_is_given_when_the_big_one_is_cancelled():
    driver = gpus(2)
    driver.submit("1", resources=ONE)
    driver.submit("2", resources=TWO)
    driver.submit("3", resources=ONE)
    assert driver.cancel("2") == ["2-", "q:2=w", "3>a"]


def test_what_was_kept_is_given_when_the_big_one_has_waited_too_long():
    driver = gpus(2)
    driver.submit("1", resources=ONE)
    driver.submit("2", resources=TWO, timeout=1.0)
    driver.submit("3", resources=ONE)
    assert driver.tick(1.0) == ["2!DependencyTimeout", "3>a"]


def test_what_was_kept_is_given_when_it_is_the_turn_of_another():
    """Who waits for more may have been served elsewhere, meanwhile."""
    driver = gpus(2)
    driver.submit("1", owner="one", resources=ONE)
    driver.submit("2", owner="two", resources=TWO)
    assert driver.submit("3", owner="one", resources=ONE) == []
    driver.join("b")
    assert driver.submit("4", "b", owner="two") == ["4>b", "3>a"]


def test_a_target_of_the_small_one_is_not_kept_for_a_big_one_that_may_not_run_there():
    driver = gpus(2, "ab")
    driver.submit("1", "a", resources=ONE)
    driver.submit("2", "a", resources=TWO)
    assert driver.submit("3", resources=ONE) == ["3>b"]
    assert driver.submit("4", "a", resources=ONE) == []


# ---- tasks that wait for others


def test_one_that_waits_for_others_gives_back_what_it_took_until_it_goes_on():
    driver = gpus(1)
    driver.submit("1", resources=ONE)
    assert driver.submit("2", resources=ONE, depth=1) == []
    assert driver.pause("a", "1") == ["2>a"]
    assert driver.finish("a", "2") == ["2=ok"]
    assert driver.resume("a", "1") == []
    assert driver.machine.engines["a"].free == {"gpu": 0}
    assert driver.submit("3", resources=ONE) == []
    assert driver.finish("a", "1") == ["1=ok", "3>a"]


def test_one_that_ends_while_it_waits_gives_nothing_back_twice():
    driver = gpus(1)
    driver.submit("1", resources=ONE)
    driver.pause("a", "1")
    driver.pause("a", "1")
    driver.fail("a", "1")
    driver.resume("a", "1")
    assert driver.machine.engines["a"].free == {"gpu": 1}


def test_when_it_goes_on_before_the_others_have_ended_more_is_taken_than_there_is():
    driver = gpus(1)
    driver.submit("12", resources=ONE)
    assert driver.pause("a", "1") == ["2>a"]
    driver.resume("a", "1")
    assert driver.submit("3", resources=ONE) == []
    assert driver.finish("a", "2") == ["2=ok"]
    assert driver.finish("a", "1") == ["1=ok", "3>a"]


# ---- engines that are replaced


def condemned(resources=ONE):
    """An engine that is to be killed, since its task does not end, and another that has less."""
    driver = Driver(hwm=1)
    driver.join("a", resources)
    driver.join("b")
    driver.submit("1", resources=resources, time_limit=1.0)
    driver.tick(1.0)
    assert driver.tick(GRACE) == ["a#"]
    return driver


def test_what_an_engine_has_is_hoped_for_while_it_is_replaced():
    driver = condemned()
    assert driver.submit("2", resources=ONE) == []
    assert driver.leave("a") == ["1!TaskTimeout"]
    assert driver.submit("3", resources=ONE) == []
    assert driver.tick(1.0) == []
    assert driver.join("c", ONE, engine_id=0) == ["2>c"]
    assert driver.finish("c", "2") == ["2=ok", "3>c"]


def test_when_no_replacement_comes_those_who_wait_are_told():
    driver = condemned()
    driver.leave("a")
    driver.submit("2", resources=ONE)
    assert driver.machine.patience(driver.now) == REPLACEMENT
    assert driver.tick(REPLACEMENT - 1) == []
    assert driver.tick(1) == ["2!ImpossibleDependency"]
    assert driver.machine.patience(driver.now) is None


def test_when_the_replacement_has_less_those_who_wait_are_told():
    driver = condemned()
    driver.leave("a")
    driver.submit("2", resources=ONE)
    driver.submit("3", after="2")
    assert driver.join("c", engine_id=0) == ["2!ImpossibleDependency", "3!ImpossibleDependency"]


def test_more_than_it_had_is_not_hoped_for():
    driver = condemned()
    driver.leave("a")
    assert driver.submit("2", resources=TWO) == ["2!ImpossibleDependency"]


def test_another_engine_that_has_it_serves_as_well():
    driver = condemned()
    driver.leave("a")
    driver.submit("2", resources=ONE)
    assert driver.join("d", ONE) == ["2>d"]
    assert driver.tick(2 * REPLACEMENT) == []
