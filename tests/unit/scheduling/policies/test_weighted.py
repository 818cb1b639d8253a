"""Weighted: two draws by one over the load; the less loaded wins."""

import pytest

from ipyparallel.scheduling.policies import Weighted
from tests.support.scheduling import chosen, engine, fixed, give


@pytest.mark.parametrize("among", [False, True])
def test_engines_with_less_to_do_have_larger_shares(among):
    """Weights of 1, 1 and 1/2: both draws are the third with a probability of (1/5)²."""
    policy = Weighted(fixed())
    engines = [engine(0, load=1), engine(1, load=1), engine(2, load=2)]
    for one in engines:
        policy.add(one)
    shares = chosen(policy, 20000, engines if among else None)
    assert shares == pytest.approx({0: 0.48, 1: 0.48, 2: 0.04}, abs=0.03)


@pytest.mark.parametrize("among", [False, True])
def test_an_idle_engine_is_practically_always_picked(among):
    policy = Weighted(fixed())
    engines = [engine(0, load=3), engine(1, load=1), engine(2), engine(3)]
    for one in engines:
        policy.add(one)
    shares = chosen(policy, 2000, engines if among else None)
    assert shares.keys() == {2, 3}
    assert shares == pytest.approx({2: 0.5, 3: 0.5}, abs=0.1)


def test_loads_that_change_count():
    policy = Weighted(fixed())
    one, other = engine(0, load=1), engine(1, load=1)
    policy.add(one)
    policy.add(other)
    one.running.clear()
    policy.update(one)
    assert chosen(policy, 500).keys() == {0}
    for number in range(3):
        give(one, number)
        policy.update(one)
    # weights of 1/3 and 1: both draws are the first with a probability of (1/4)²
    assert chosen(policy, 8000) == pytest.approx({0: 1 / 16, 1: 15 / 16}, abs=0.03)


def test_memory_does_not_grow_with_the_highest_load_there_was():
    policy, one = Weighted(), engine(0)
    policy.add(one)
    for number in range(1000):
        give(one, number)
        policy.update(one)
    while one.running:
        one.running.popitem()
        policy.update(one)
    assert len(policy._pools) == 1
    assert policy.pick() is one
