"""When an engine is started again."""

from __future__ import annotations

import pytest

from ipyparallel.engine.restarts import RestartPolicy


def test_by_default_it_is_not() -> None:
    assert not RestartPolicy().allows(1)


def test_a_limited_number_of_times_in_a_row() -> None:
    policy = RestartPolicy("on-failure", limit=2)
    deaths, allowed = 0, []
    for life in (1.0, 59.0, 0.0, 61.0, 1.0):
        deaths = policy.count(deaths, life)
        allowed.append(policy.allows(deaths))
    assert allowed == [True, True, False, True, True]


def test_the_first_time_at_once_then_after_ever_longer_delays() -> None:
    policy = RestartPolicy("on-failure")
    assert [policy.delay_after(n) for n in range(1, 9)] == [0, 1, 2, 4, 8, 16, 30, 30]
    assert policy.delay_after(10_000) == 30
    assert RestartPolicy("on-failure", delay=0).delay_after(4) == 0


@pytest.mark.parametrize("limit", [0, 3])
def test_the_limit_is_the_number_of_starts(limit: int) -> None:
    policy = RestartPolicy("on-failure", limit=limit)
    assert [policy.allows(n) for n in range(1, 5)] == [n <= limit for n in range(1, 5)]
