"""How tasks ended is known of the last ones, whatever their ids look like, in little memory."""

import random
import sys

import pytest

from ipyparallel.scheduling.outcomes import LIMIT, Outcome, Outcomes


def kept_bytes(outcomes):
    """What they take, ids included."""
    return sum(
        sys.getsizeof(name) + sys.getsizeof(session) + sys.getsizeof(session.codes)
        for name, session in outcomes._sessions.items()
    ) + sys.getsizeof(outcomes._sessions)


@pytest.mark.parametrize("ok", [True, False])
@pytest.mark.parametrize("engine", [0, 1, 1_000_000])
def test_what_was_put_is_had_again(ok, engine):
    outcomes = Outcomes()
    outcomes.put("session_3", ok, engine)
    assert outcomes.get("session_3") == Outcome(ok, engine)


def test_the_last_end_of_an_id_counts():
    outcomes = Outcomes()
    outcomes.put("a_1", True, 7)
    outcomes.put("a_1", False)
    assert outcomes.get("a_1") == Outcome(False, 0)


@pytest.mark.parametrize("msg_id", ["a_2", "a_0", "b_1", "a", "1", "", "a_", "a_-1"])
def test_of_others_nothing_is_known(msg_id):
    outcomes = Outcomes()
    outcomes.put("a_1", True)
    assert outcomes.get(msg_id) is None


ODD = [
    *("", "_", "x", "x_", "_x", "x_y", "x_-5", "x_+5", "x_05", "x_ 5", "x_5 ", "x_0", "x_00"),
    *("x__5", "x_5_", "5", "05", "-5", "x_\u0665", "x_\u00b2", "x_1e3", "x_0x5", "x_5.0", "x\n_5"),
    *("x_" + "9" * 17, "x_" + "9" * 18, "x_" + "9" * 19, "x_" + "9" * 5000, "x" * 5000, "日本"),
]


def test_ids_of_any_look_are_told_from_each_other():
    outcomes = Outcomes()
    for number, msg_id in enumerate(ODD):
        outcomes.put(msg_id, True, number)
        assert outcomes.get(msg_id) == Outcome(True, number)
        mistaken = [other for other in ODD[number + 1 :] if outcomes.get(other) is not None]
        assert mistaken == []


def test_the_last_tasks_of_a_session_are_known_in_whatever_order_they_ended():
    numbers = list(range(10_000, 10_000 + LIMIT - 1))
    random.Random(5).shuffle(numbers)
    outcomes = Outcomes()
    for number in numbers:
        outcomes.put(f"session_{number}", number % 3 > 0, number % 100)
    for number in numbers[::97]:
        assert outcomes.get(f"session_{number}") == Outcome(number % 3 > 0, number % 100)


def test_when_the_last_ends_first_all_before_it_may_still_end():
    outcomes = Outcomes()
    for number in range(50_000, -1, -1):
        outcomes.put(f"session_{number}", True, 1)
    assert all(outcomes.get(f"session_{number}") for number in range(50_001))


def test_of_a_long_session_the_oldest_are_forgotten():
    outcomes = Outcomes(limit=1000)
    for number in range(5000):
        outcomes.put(f"session_{number}", True)
    assert outcomes.get("session_0") is None
    assert all(outcomes.get(f"session_{number}") for number in range(4001, 5000))
    outcomes.put("session_5", True)  # comes very late; nobody is forgotten for it
    assert outcomes.get("session_5") is None
    assert outcomes.get("session_4999")


def test_after_a_leap_in_the_numbers_the_new_ones_count():
    outcomes = Outcomes(limit=1000)
    outcomes.put("session_1", True)
    outcomes.put("session_1000000000", True)
    outcomes.put("session_999999990", True)
    assert outcomes.get("session_1000000000")
    assert outcomes.get("session_999999990")
    assert outcomes.get("session_1") is None
    assert kept_bytes(outcomes) < 20_000


def test_the_sessions_not_heard_from_for_longest_are_forgotten_first():
    outcomes = Outcomes(limit=1000)
    for number in range(1000):
        outcomes.put("often_1", True)
        outcomes.put(f"session-{number}_1", True)
    assert outcomes.get("often_1")
    assert outcomes.get("session-999_1")
    assert outcomes.get("session-0_1") is None


def one_each(number):
    return f"{number:032x}_{number % 50}"


def one_each_late(number):
    return f"{number:032x}_{number * 7919}"


def few_huge_names(number):
    return f"{number:05000}_1"


def odd(number):
    return f"task {number}"


def leaping(number):
    return f"session_{number * LIMIT // 2}"


def leaping_sessions(number):
    return f"{number % 20}_{number * LIMIT}"


def again_and_again(number):
    return "session_-1"


@pytest.mark.parametrize(
    "msg_id",
    [one_each, one_each_late, few_huge_names, odd, leaping, leaping_sessions, again_and_again],
)
def test_the_memory_is_bounded(msg_id):
    outcomes = Outcomes()
    for number in range(20_000):
        outcomes.put(msg_id(number), True)
        if number % 1000 == 0:
            assert kept_bytes(outcomes) < 3e6
    assert kept_bytes(outcomes) < 3e6
    cost = sum(len(s.codes) + s.cost for s in outcomes._sessions.values())
    assert outcomes._kept == cost
    assert outcomes.get(msg_id(19_999))
