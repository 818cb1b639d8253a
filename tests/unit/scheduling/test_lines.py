"""Lines of jobs: who goes first, who is let go, and what it costs."""

import gc
import itertools
import random
import weakref

import pytest

from ipyparallel.scheduling.lines import Line
from ipyparallel.scheduling.state import Engine, Job, Owner, Phase
from tests.support.machine_driver import terms

NONE = frozenset()


class Payload:
    """Something that can tell when it is forgotten."""


class Jobs:
    """Makes jobs, each after the one before."""

    def __init__(self):
        self.sequence = itertools.count(1)
        self.owners = {}

    def __call__(self, owner="a", payload=None, **asked):
        number = next(self.sequence)
        job = Job(str(number), terms(**asked), owner, payload)
        job.sequence = number
        job.owner = self.owners.setdefault(owner, Owner(owner))
        return job


@pytest.fixture
def jobs():
    return Jobs()


@pytest.fixture
def line():
    return Line(NONE, NONE, ())


def send_all(line):
    """Send all who stand in a line, each in its turn; their ids."""
    sent = []
    while (first := line.first()) is not None:
        job = first[1]
        line.pop(job)
        job.phase = Phase.SENT
        sent.append(job)
        job.owner.turn = len(sent)
    assert line.length == 0
    assert line._queues == {}
    return [job.msg_id for job in sent]


# ---- which engines


@pytest.mark.parametrize(
    ("allowed", "barred", "resources", "suits"),
    [
        ("", "", {}, True),
        ("a", "", {}, True),
        ("ba", "", {}, True),
        ("b", "", {}, False),
        ("", "a", {}, False),
        ("", "b", {}, True),
        ("ab", "a", {}, False),
        ("", "", {"gpu": 2}, True),
        ("", "", {"gpu": 2.5}, False),
        ("", "", {"gpu": 1, "mem": 1}, False),
        ("a", "", {"gpu": 1}, True),
        ("b", "", {"gpu": 1}, False),
    ],
)
def test_a_line_suits_engines_that_may_run_its_jobs_once_they_have_room(
    allowed, barred, resources, suits
):
    line = Line(frozenset(allowed), frozenset(barred), tuple(resources.items()))
    engine = Engine("a", 0, 1.0, {"gpu": 2})
    engine.occupy((("gpu", 2),))  # they are taken, now
    assert line.suits(engine) is suits


# ---- who goes first


def test_nobody_is_first_where_nobody_stands(line):
    assert line.first() is None
    assert list(line) == []


def test_the_oldest_goes_first_whenever_it_came(line, jobs):
    three = [jobs(), jobs(), jobs()]
    for job in (three[1], three[2], three[0]):
        line.add(job)
    assert line.length == 3
    assert send_all(line) == ["1", "2", "3"]


def test_to_ask_who_is_first_changes_nothing(line, jobs):
    line.add(jobs())
    assert line.first() == line.first()
    assert line.length == 1


def test_priority_goes_before_turns_turns_before_depth_and_depth_before_age(line, jobs):
    for job in (
        jobs("a"),  # 1
        jobs("a", depth=1),  # 2
        jobs("b"),  # 3
        jobs("b", depth=2),  # 4
        jobs("a", priority=1),  # 5
        jobs("b", priority=-1, depth=9),  # 6
    ):
        line.add(job)
    assert send_all(line) == ["5", "4", "2", "3", "1", "6"]


def test_owners_take_turns(line, jobs):
    for owner in "aaaabbc":
        line.add(jobs(owner))
    assert send_all(line) == ["1", "5", "7", "2", "6", "3", "4"]


def test_an_owner_who_was_served_elsewhere_has_had_its_turn(line, jobs):
    for owner in "ab":
        line.add(jobs(owner))
    jobs.owners["a"].turn = 5
    assert line.first()[1].msg_id == "2"


@pytest.mark.parametrize("seed", range(20))
def test_first_is_the_lowest_in_rank_whatever_happened(line, jobs, seed):
    chance = random.Random(seed)
    standing = []
    for turn in range(400):
        step = chance.random()
        if step < 0.5 or not standing:
            job = jobs(
                chance.choice("abc"), priority=chance.choice([0, 0, 1]), depth=chance.randrange(2)
            )
            line.add(job)
            standing.append(job)
        elif step < 0.7:
            job = standing.pop(chance.randrange(len(standing)))
            line.discard(job)
        else:
            best = min(
                standing,
                key=lambda job: (
                    -job.terms.priority,
                    job.owner.turn,
                    -job.terms.depth,
                    job.sequence,
                ),
            )
            rank, first = line.first()
            assert first is best
            assert rank[-1] == best.sequence
            line.pop(best)
            best.owner.turn = turn + 1
            standing.remove(best)
        assert line.length == len(standing)
        assert set(line) == set(standing)
    assert set(send_all(line)) == {job.msg_id for job in standing}


# ---- who is let go


def test_one_who_leaves_is_never_first_and_is_not_listed(line, jobs):
    three = [jobs(), jobs(), jobs()]
    for job in three:
        line.add(job)
    line.discard(three[0])
    assert three[0].line is None
    assert list(line) == three[1:]
    assert send_all(line) == ["2", "3"]


def test_one_who_left_and_comes_again_stands_here_once(line, jobs):
    stays, leaves = jobs(), jobs()
    line.add(stays)
    line.add(leaves)
    line.discard(leaves)
    line.add(leaves)
    assert line.length == 2
    assert send_all(line) == ["1", "2"]


def test_one_who_went_to_another_line_does_not_stand_here(line, jobs):
    stays, leaves = jobs(), jobs()
    line.add(stays)
    line.add(leaves)
    line.discard(leaves)
    other = Line(NONE, frozenset("a"), ())
    other.add(leaves)
    assert list(line) == [stays]
    assert list(other) == [leaves]


def test_what_jobs_carry_is_let_go_when_they_have_left(line, jobs):
    payloads = weakref.WeakSet()

    def add(many):
        made = []
        for _ in range(many):
            payload = Payload()
            payloads.add(payload)
            made.append(jobs(payload=payload))
            line.add(made[-1])
        return made

    stay = add(10)
    for job in add(5000):
        line.discard(job)
    del job
    gc.collect()
    # a few more of those that left than of those that stand here
    assert len(payloads) <= 100
    for job in stay:
        line.discard(job)
    del job, stay
    gc.collect()
    assert len(payloads) == 0


def test_places_of_those_who_left_do_not_pile_up(line, jobs):
    line.add(jobs("a"))
    for owner in itertools.islice(itertools.cycle("abc"), 20_000):
        job = jobs(owner)
        line.add(job)
        line.discard(job)
    assert sum(map(len, line._queues.values())) < 100
    assert send_all(line) == ["1"]


def test_owners_who_have_left_are_forgotten(line, jobs):
    line.add(jobs("stays"))
    for number in range(1000):
        job = jobs(f"owner-{number}")
        line.add(job)
        if number % 2:
            line.discard(job)
        else:
            line.first()
            line.discard(job)
    line.first()
    assert [owner.name for owner in line._queues] == ["stays"]


def test_to_leave_costs_nothing_for_those_who_stay(line, jobs):
    """Of many, each looks only at itself, but for a look at all once in a long while."""
    looks = 0

    class Counting(Line):
        __slots__ = ()

        def _stands(self, job):
            nonlocal looks
            looks += 1
            return super()._stands(job)

    counting = Counting(NONE, NONE, ())
    many = [jobs(f"owner-{number % 50}") for number in range(10_000)]
    for job in many:
        counting.add(job)
    for job in reversed(many):
        counting.discard(job)
    assert looks < 4 * len(many)
