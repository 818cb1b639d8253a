"""LRU picks what a plain list of engines, kept in order, would give."""

from hypothesis import given, settings
from hypothesis import strategies as st

from ipyparallel.scheduling.policies import LRU
from tests.support.scheduling import STEPS, engine, give, play


class Reference:
    """The rule, on a list: the engine at its front was used longest ago."""

    def __init__(self):
        self.line = []
        self.load = {}

    def add(self, engine):
        self.line.insert(0, engine)
        self.load[engine] = engine.load

    def remove(self, engine):
        self.line.remove(engine)

    def update(self, engine):
        if engine.load > self.load[engine]:
            self.line.remove(engine)
            self.line.append(engine)
        self.load[engine] = engine.load

    def pick(self):
        return next((one for one in self.line if not one.full), None)

    def pick_among(self, candidates):
        return next((one for one in self.line if one in candidates and not one.full), None)


@settings(max_examples=300, deadline=None, database=None)
@given(STEPS, st.integers(0, 5))
def test_picks_what_a_list_in_order_gives(steps, start):
    policy, reference = LRU(), Reference()
    for engines in play(steps, policy, reference):
        assert policy.pick() is reference.pick()
        some = engines[start:]
        assert policy.pick_among(some) is reference.pick_among(some)


def test_the_engine_that_joined_last_is_the_first():
    policy = LRU()
    for number in range(3):
        policy.add(engine(number))
    picked = []
    for number in range(6):
        one = policy.pick()
        picked.append(one.id)
        give(one, number)
        policy.update(one)
    assert picked == [2, 1, 0, 2, 1, 0]


def test_loads_do_not_matter():
    policy, busy, idle = LRU(), engine(0, load=5), engine(1)
    policy.add(idle)
    policy.add(busy)
    assert policy.pick() is busy


def test_the_end_of_a_task_is_not_a_use():
    policy, first, second = LRU(), engine(0, load=2), engine(1)
    policy.add(second)
    policy.add(first)
    first.running.popitem()
    policy.update(first)
    assert policy.pick() is first


def test_memory_does_not_grow_with_tasks_that_one_engine_gets():
    """The other stays at the top of the heap, so that what is out of date does not come up."""
    policy, used, unused = LRU(), engine(0), engine(1)
    policy.add(used)
    policy.add(unused)
    for number in range(10_000):
        one = policy.pick_among([used])
        assert one is used
        give(one, number)
        policy.update(one)
        one.running.clear()
        policy.update(one)
    assert len(policy._heap) < 100
    assert policy.pick() is unused
