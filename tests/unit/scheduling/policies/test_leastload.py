"""Least load picks what a plain search through all engines would pick."""

from hypothesis import given, settings
from hypothesis import strategies as st

from ipyparallel.scheduling.policies import LeastLoad
from tests.support.scheduling import STEPS, engine, give, play


class Reference:
    """The rule, searched for in full each time."""

    def __init__(self):
        self.since = {}
        self.clock = 0

    def add(self, engine):
        self.update(engine)

    def update(self, engine):
        self.clock += 1
        if engine.full:
            self.since.pop(engine, None)
        elif self.since.get(engine, (None,))[0] != engine.load:
            self.since[engine] = (engine.load, self.clock)

    def remove(self, engine):
        self.since.pop(engine, None)

    def pick(self):
        return self.pick_among(self.since)

    def pick_among(self, candidates):
        among = self.since.keys() & set(candidates)
        return min(among, key=self.since.__getitem__, default=None)


@settings(max_examples=300, deadline=None, database=None)
@given(STEPS, st.integers(0, 5))
def test_picks_what_a_search_through_all_engines_finds(steps, start):
    policy, reference = LeastLoad(), Reference()
    for engines in play(steps, policy, reference):
        assert policy.pick() is reference.pick()
        some = engines[start:]
        assert policy.pick_among(some) is reference.pick_among(some)


def test_takes_turns_among_equals():
    policy = LeastLoad()
    engines = [engine(number) for number in range(3)]
    for one in engines:
        policy.add(one)
    picked = []
    for number in range(6):
        one = policy.pick()
        picked.append(one.id)
        give(one, number)
        policy.update(one)
    assert picked == [0, 1, 2, 0, 1, 2]


def test_among_candidates_the_one_with_least_to_do():
    busy, full, free = engine(0, load=2), engine(1, limit=0), engine(2, load=1)
    policy = LeastLoad()
    for one in (busy, full, free):
        policy.add(one)
    assert policy.pick_among([busy, full, free]) is free
    assert policy.pick_among([full]) is None
    assert policy.pick_among([]) is None


def test_takes_turns_among_equal_candidates():
    policy, candidates = LeastLoad(), [engine(number) for number in range(3)]
    for one in candidates:
        policy.add(one)
    picked = []
    for number in range(7):
        one = policy.pick_among(candidates[::-1])
        picked.append(one.id)
        give(one, number)
        policy.update(one)
        one.running.clear()
        policy.update(one)
    assert picked == [0, 1, 2, 0, 1, 2, 0]


def test_memory_does_not_grow_with_the_highest_load_there_was():
    policy, one = LeastLoad(), engine(0)
    policy.add(one)
    for number in range(1000):
        give(one, number)
        policy.update(one)
    while one.running:
        one.running.popitem()
        policy.update(one)
    assert len(policy._lines) == 1
    assert policy.pick() is one
