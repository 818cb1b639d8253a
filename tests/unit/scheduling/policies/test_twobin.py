"""Two-bin random: of two draws, the engine used longer ago."""

import pytest

from ipyparallel.scheduling.policies import TwoBin
from tests.support.scheduling import chosen, engine, fixed, give


def use(policy, one, number=0):
    give(one, number)
    policy.update(one)


def test_the_longer_ago_an_engine_was_used_the_larger_its_share():
    """Of n engines the k-th is the older of two draws with a probability of (2(n-k)+1)/n²."""
    policy = TwoBin(fixed())
    engines = [engine(number) for number in range(4)]
    for one in engines:
        policy.add(one)
    for one in (engines[2], engines[0], engines[3], engines[1]):
        use(policy, one)
    expected = {2: 7 / 16, 0: 5 / 16, 3: 3 / 16, 1: 1 / 16}
    assert chosen(policy, 16000) == pytest.approx(expected, abs=0.05)
    among = {0: 5 / 9, 3: 3 / 9, 1: 1 / 9}
    few = [engines[i] for i in (0, 1, 3)]
    assert chosen(policy, 9000, few) == pytest.approx(among, abs=0.05)


def test_a_new_engine_counts_as_unused_for_longest():
    policy = TwoBin(fixed())
    old, new = engine(0), engine(1)
    policy.add(old)
    policy.add(new)
    assert chosen(policy, 4000) == pytest.approx({1: 3 / 4, 0: 1 / 4}, abs=0.05)


def test_one_that_is_full_is_not_drawn():
    policy = TwoBin(fixed())
    engines = [engine(0, limit=1), engine(1), engine(2)]
    for one in engines:
        policy.add(one)
    use(policy, engines[0])
    assert chosen(policy, 4000) == pytest.approx({2: 3 / 4, 1: 1 / 4}, abs=0.05)
