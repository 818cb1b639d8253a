"""What holds for every policy: a full engine is never picked, and a free one always is found."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ipyparallel.scheduling.policies import POLICIES, LeastLoad
from ipyparallel.scheduling.state import Engine
from tests.support.scheduling import STEPS, engine, give, play

every = pytest.mark.parametrize("scheme", sorted(POLICIES))


def test_policies_are_found_by_the_name_of_the_scheme():
    assert sorted(POLICIES) == ["leastload", "lru", "plainrandom", "twobin", "weighted"]
    assert isinstance(POLICIES["leastload"](), LeastLoad)


@every
@settings(max_examples=150, deadline=None, database=None)
@given(steps=STEPS, start=st.integers(0, 5))
def test_picks_one_that_is_not_full_if_there_is_one(scheme, steps, start):
    policy = POLICIES[scheme]()
    for engines in play(steps, policy):
        for picked, among in (
            (policy.pick(), engines),
            (policy.pick_among(engines[start:]), engines[start:]),
        ):
            free = [one for one in among if not one.full]
            assert picked in free if free else picked is None


@every
def test_nobody_is_picked_when_all_are_full(scheme):
    policy = POLICIES[scheme]()
    assert policy.pick() is None
    assert policy.pick_among([]) is None
    full = engine(0, limit=1, load=1)
    policy.add(full)
    assert policy.pick() is None
    assert policy.pick_among([full]) is None


@every
def test_an_engine_asked_for_tasks_back_is_not_picked(scheme):
    policy, asked = POLICIES[scheme](), engine(0)
    policy.add(asked)
    asked.recalling = True
    policy.update(asked)
    assert policy.pick() is None
    asked.recalling = False
    policy.update(asked)
    assert policy.pick() is asked


@every
def test_one_that_left_is_not_picked_whether_it_was_full_or_not(scheme):
    policy, full, free = POLICIES[scheme](), engine(0, limit=1, load=1), engine(1)
    for one in (full, free):
        policy.add(one)
        policy.remove(one)
    assert policy.pick() is None
    assert policy.pick_among([full, free]) is None


class Touched(Engine):
    """An engine that counts how often any of its kind is looked at or looked up."""

    __slots__ = ()
    times = 0

    def __hash__(self):
        Touched.times += 1
        return object.__hash__(self)

    @property
    def full(self):
        Touched.times += 1
        return super().full


@every
def test_a_pick_costs_the_same_however_many_engines_there_are(scheme):
    policy, engines, tasks = POLICIES[scheme](), 10_000, 2_000
    for number in range(engines):
        policy.add(Touched(f"engine-{number}", number, 2))
    before = Touched.times
    for number in range(tasks):
        one = policy.pick()
        give(one, number)
        policy.update(one)
        one.running.popitem()
        policy.update(one)
    assert (Touched.times - before) / tasks < 100
