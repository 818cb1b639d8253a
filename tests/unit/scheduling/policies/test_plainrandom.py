"""Plain random gives each engine that is not full the same share."""

import pytest

from ipyparallel.scheduling.policies import PlainRandom
from tests.support.scheduling import chosen, engine, fixed


def test_each_that_is_not_full_has_the_same_share():
    policy = PlainRandom(fixed())
    engines = [engine(0), engine(1, load=7), engine(2, limit=1, load=1), engine(3), engine(4)]
    for one in engines:
        policy.add(one)
    policy.remove(engines[0])
    shares = chosen(policy, 9000)
    assert shares == pytest.approx({1: 1 / 3, 3: 1 / 3, 4: 1 / 3}, abs=0.05)
    shares = chosen(policy, 9000, engines[:4])
    assert shares == pytest.approx({1: 1 / 2, 3: 1 / 2}, abs=0.05)


def test_the_same_seed_gives_the_same_picks():
    def picks():
        policy = PlainRandom(fixed())
        for number in range(50):
            policy.add(engine(number))
        return [policy.pick().id for _ in range(20)]

    assert picks() == picks()
    assert len(set(picks())) > 5
