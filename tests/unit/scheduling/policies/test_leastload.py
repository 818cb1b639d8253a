"""Least load picks what a plain search through all engines would pick."""

import math

from hypothesis import given, settings
from hypothesis import strategies as st

from ipyparallel.scheduling.policies import POLICIES, LeastLoad
from ipyparallel.scheduling.state import Engine, Job


def engine(number, limit=math.inf, load=0):
    made = Engine(f"engine-{number}", number, limit)
    for i in range(load):
        give(made, i)
    return made


def give(to, number):
    job = Job(f"task-{to.id}-{number}")
    to.running[job.msg_id] = job


class Reference:
    """The rule, searched for in full each time."""

    def __init__(self):
        self.since = {}
        self.clock = 0

    def update(self, engine):
        self.clock += 1
        if engine.full:
            self.since.pop(engine, None)
        elif self.since.get(engine, (None,))[0] != engine.load:
            self.since[engine] = (engine.load, self.clock)

    def remove(self, engine):
        self.since.pop(engine, None)

    def pick(self, candidates=None):
        among = self.since if candidates is None else self.since.keys() & set(candidates)
        return min(among, key=self.since.__getitem__, default=None)


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["join", "give", "give", "give", "end", "leave", "limit", "recall"]),
        st.integers(0, 5),
        st.sampled_from([1, 2, 3, math.inf]),
    ),
    max_size=60,
)


@settings(max_examples=150, deadline=None, database=None)
@given(STEPS)
def test_picks_what_a_search_through_all_engines_finds(steps):
    policy, reference, engines = LeastLoad(), Reference(), {}
    for number, (step, place, limit) in enumerate(steps):
        if step == "join" or not engines:
            new = engines[number] = engine(number, limit)
            policy.add(new)
            reference.update(new)
        else:
            key = sorted(engines)[place % len(engines)]
            one = engines[key]
            if step == "leave":
                del engines[key]
                policy.remove(one)
                reference.remove(one)
            else:
                if step == "give":
                    one = policy.pick() or one
                    give(one, number)
                elif step == "end" and one.running:
                    one.running.popitem()
                elif step == "limit":
                    one.limit = limit
                elif step == "recall":
                    one.recalling = not one.recalling
                policy.update(one)
                reference.update(one)
        assert policy.pick() is reference.pick()
        half = list(engines.values())[place:]
        assert policy.pick_among(half) is reference.pick(half)


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


def test_nobody_is_picked_when_all_are_full():
    policy = LeastLoad()
    assert policy.pick() is None
    policy.add(engine(0, limit=1, load=1))
    assert policy.pick() is None


def test_an_engine_asked_for_tasks_back_is_not_picked():
    policy, asked = LeastLoad(), engine(0)
    asked.recalling = True
    policy.add(asked)
    assert policy.pick() is None


def test_one_that_left_while_full_is_removed_without_complaint():
    policy, full = LeastLoad(), engine(0, limit=1, load=1)
    policy.add(full)
    policy.remove(full)
    assert policy.pick() is None


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


def test_policies_are_found_by_the_name_of_the_scheme():
    assert isinstance(POLICIES["leastload"](), LeastLoad)
