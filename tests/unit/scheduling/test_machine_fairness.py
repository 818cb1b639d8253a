"""Whose task is next: priority, turns between owners, depth; nobody starves."""

from collections import deque

import pytest

from tests.support.machine_driver import Driver


def order(driver, uuid="a"):
    """Have an engine run all that waits; the ids in the order in which they ran."""
    ran = []
    while running := list(driver.machine.engines[uuid].running):
        ran.append(running[0])
        driver.finish(uuid, running[0], 1.0)
    return ran


def test_a_higher_priority_goes_first():
    driver = Driver(hwm=1, engines="a")
    driver.submit("12")
    driver.submit("3", priority=1)
    driver.submit("4", "a", priority=2)
    driver.submit("5", priority=-1)
    driver.submit("6", priority=1)
    assert "".join(order(driver)) == "143625"


def test_priority_of_one_owner_counts_among_all():
    driver = Driver(hwm=1, engines="a")
    driver.submit("1234", owner="one", priority=1)
    driver.submit("5", owner="two")
    assert "".join(order(driver)) == "12345"


def test_deeper_tasks_go_before_others_of_their_owner_alone():
    driver = Driver(hwm=1, engines="a")
    driver.submit("123", owner="one")
    driver.submit("4", owner="two")
    driver.submit("5", owner="one", depth=1)
    driver.submit("6", owner="one", depth=2)
    assert "".join(order(driver)) == "146523"


def test_owners_take_turns_whatever_their_tasks_are_restricted_to():
    driver = Driver(hwm=1, engines="ab")
    driver.submit("x", "b")
    driver.submit("1234", owner="one")
    driver.submit("56", "a", owner="two")
    driver.submit("7", "ab", owner="two")
    assert "".join(order(driver)) == "1526374"


@pytest.mark.parametrize("targets", ["", "ab", "a"])
def test_very_many_of_one_do_not_starve_a_few_of_another(targets):
    driver = Driver(hwm=1, engines="ab")
    many = [f"many_{number}" for number in range(100_000)]
    driver.submit(many, owner="many")
    few = [f"few_{number}" for number in range(10)]
    driver.submit(few, targets, owner="few")
    ran = []
    for _ in range(30):
        for uuid in "ab":
            (msg_id,) = driver.machine.engines[uuid].running
            ran.append(msg_id)
            driver.finish(uuid, msg_id, 1.0)
    assert set(few) < set(ran[:42])


def test_clients_that_come_and_go_do_not_starve_one_that_stays():
    driver = Driver(hwm=1, engines="a")
    driver.submit([f"stays-{number}" for number in range(100)], owner="stays")
    waiting = deque(range(10))
    for number in waiting:
        driver.submit([f"new-{number}"], owner=f"client-{number}")
    served = 0
    for number in range(10, 210):
        (msg_id,) = driver.machine.engines["a"].running
        served += msg_id.startswith("stays")
        driver.finish("a", msg_id, 1.0)
        if msg_id.startswith("new"):
            driver.submit([f"new-{number}"], owner=f"client-{number}")
    assert 200 / 11 - 2 < served < 200 / 11 + 2


def test_a_new_client_waits_for_one_turn_of_each_of_the_others():
    driver = Driver(hwm=1, engines="a")
    for owner in "abcde":
        driver.submit([f"{owner}{number}" for number in range(5)], owner=owner)
    for msg_id in ("a0", "b0", "c0"):
        driver.finish("a", msg_id, 1.0)
    driver.submit(["new"], owner="new")
    assert order(driver)[:7] == ["d0", "e0", "a1", "b1", "c1", "new", "d1"]


def test_owners_of_whom_nothing_is_left_are_forgotten():
    driver = Driver(hwm=1, engines="a")
    for number in range(1000):
        driver.submit([str(number)], owner=f"owner-{number}")
        driver.finish("a", str(number))
    assert driver.machine._owners == {}
