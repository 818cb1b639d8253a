"""The graph: each end wakes those whom it concerns; what can not be met is known at once."""

import itertools

import pytest

from ipyparallel.error import ImpossibleDependency, InvalidDependency
from ipyparallel.scheduling.dependencies import Dependency
from ipyparallel.scheduling.graph import Graph, Unmeetable
from ipyparallel.scheduling.outcomes import Outcome, Outcomes
from ipyparallel.scheduling.state import Job
from tests.support.machine_driver import terms


class Bench:
    """A graph; tasks have names of one letter, engines have the numbers 1 and 2, of a and b."""

    def __init__(self, known=""):
        self.outcomes = Outcomes()
        self.known = set(known)
        self.engines = {1: "a", 2: "b"}
        self.graph = Graph(self.outcomes, self.known.__contains__, self.place_of)

    def place_of(self, job, number):
        uuid = self.engines.get(number)
        return uuid if not job.terms.targets or uuid in job.terms.targets else None

    def add(self, **asked):
        """Add a job; None if it waits for nothing, else the job."""
        job = Job("job", terms(**asked))
        return job, self.graph.add(job)

    def refused(self, **asked):
        job = Job("job", terms(**asked))
        with pytest.raises(Unmeetable) as caught:
            self.graph.add(job)
        assert job.waits is None
        assert self.graph._waiting_for == {}
        return caught.value.error

    def end(self, msg_id, ok=True, engine=1):
        """A task ends; for each that this concerns, its error or None."""
        self.known.discard(msg_id)
        self.outcomes.put(msg_id, ok, engine)
        return [error for _, error in self.graph.ended(msg_id, Outcome(ok, engine))]


def any_of(msg_ids, success=True, failure=False):
    return Dependency(list(msg_ids), all=False, success=success, failure=failure)


def all_of(msg_ids, success=True, failure=False):
    return Dependency(list(msg_ids), all=True, success=success, failure=failure)


def test_one_wakes_with_the_last_that_it_waits_for():
    bench = Bench("xyz")
    _, blocked = bench.add(after="xy")
    assert blocked
    assert bench.graph.concerns("x")
    assert not bench.graph.concerns("z")
    assert bench.end("z") == []
    assert bench.end("x") == []
    assert bench.end("y") == [None]
    assert bench.graph._waiting_for == {}


def test_several_wake_in_the_order_in_which_they_came():
    bench = Bench("x")
    jobs = [bench.add(after="x")[0] for _ in range(5)]
    bench.known.clear()
    assert [job for job, _ in bench.graph.ended("x", Outcome(True, 1))] == jobs


def test_both_that_it_runs_after_and_that_it_follows_must_end():
    bench = Bench("xyz")
    job, _ = bench.add(after="xz", follow="xy")
    assert bench.end("x", engine=2) == []
    assert bench.end("y", engine=2) == []
    assert bench.end("z", engine=1) == [None]
    assert job.allowed == {"b"}


def test_one_released_early_waits_for_the_others_no_more():
    bench = Bench("xy")
    bench.add(after=any_of("xy"))
    assert bench.end("y") == [None]
    assert bench.graph._waiting_for == {}
    assert bench.end("x", ok=False) == []


def test_one_that_is_discarded_waits_no_more():
    bench = Bench("xy")
    job, _ = bench.add(after="xy", follow="x")
    other, _ = bench.add(after="x")
    bench.graph.discard(job)
    bench.graph.discard(job)
    assert job.waits is None
    assert bench.end("x") == [None]
    assert other.waits is None
    assert bench.graph._waiting_for == {}


@pytest.mark.parametrize("which", ["after", "follow"])
@pytest.mark.parametrize("make", [any_of, all_of])
@pytest.mark.parametrize("counting", [(True, False), (True, True), (False, True)])
@pytest.mark.parametrize("ended_before", range(4))
def test_released_when_met_and_refused_when_it_can_not_be(which, make, counting, ended_before):
    """As `Dependency.check` and `unreachable` say, for each way in which three tasks may end."""
    for ends in itertools.product([True, False], repeat=3):
        dependency = make("xyz", *counting)
        bench = Bench("xyz")
        for msg_id, ok in list(zip("xyz", ends, strict=True))[:ended_before]:
            bench.end(msg_id, ok)
        job = Job("job", terms(**{which: dependency}))
        completed = [i for i, ok in zip("xyz", ends, strict=True) if ok]
        for count in range(ended_before, 4):
            done = "xyz"[:count]
            good = [i for i in done if i in completed]
            bad = [i for i in done if i not in completed]
            met = dependency.check(good, bad)
            never = not met and dependency.unreachable(good, bad)
            try:
                if count == ended_before:
                    over, error = not bench.graph.add(job), None
                else:
                    said = bench.end(done[-1], ends[count - 1])
                    over, error = bool(said), said[0] if said else None
            except Unmeetable as e:
                over, error = True, e.error
            assert over is (met or never)
            assert (error is not None) is never
            if over:
                # of any that it follows, the others may open it another engine
                assert (job.waits is None) or (which == "follow" and make is any_of)
                bench.graph.discard(job)
                assert bench.graph._waiting_for == {}
                break


# ---- where it may run


def test_it_may_run_where_those_ran_that_it_follows():
    bench = Bench("xy")
    bench.end("x", engine=2)
    job, blocked = bench.add(follow="x")
    assert not blocked
    assert job.allowed == {"b"}


def test_of_any_that_have_ended_all_their_engines_count():
    bench = Bench("xyz")
    bench.end("x", engine=2)
    bench.end("y", engine=1)
    job, _ = bench.add(follow=any_of("xyz"))
    assert job.allowed == {"a", "b"}
    job, _ = bench.add(follow=any_of("xyz"), targets="bc")
    assert job.allowed == {"b"}


def test_any_that_ran_on_an_engine_that_is_gone_does_not_count():
    bench = Bench("xyz")
    bench.end("x", engine=7)
    job, blocked = bench.add(follow=any_of("xy"))
    assert blocked
    assert bench.end("y", engine=1) == [None]
    assert job.allowed == {"a"}


# ---- what can not be met, and what is said


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"after": "f"}, "depends on f, which failed"),
        ({"after": all_of("s", False, True)}, "depends on s, which succeeded"),
        ({"follow": "g"}, "depends on g, which ran on an engine that is gone"),
        ({"follow": all_of("n", failure=True)}, "depends on n, which never ran"),
        ({"follow": "st"}, "cannot follow tasks that ran on different engines: s, t"),
        (
            {"follow": "s", "targets": "b"},
            "depends on s, which ran on an engine that is gone, or that may not",
        ),
    ],
    ids=str,
)
def test_why_a_job_can_never_run(asked, said):
    bench = Bench("fgnst")
    bench.end("f", ok=False)
    bench.end("g", engine=7)
    bench.end("n", ok=False, engine=0)
    bench.end("s", engine=1)
    bench.end("t", engine=2)
    error = bench.refused(**asked)
    assert type(error) is ImpossibleDependency
    assert said in str(error)
    assert str(error).startswith("task job ")


@pytest.mark.parametrize("which", ["after", "follow"])
@pytest.mark.parametrize("make", [any_of, all_of])
def test_a_task_that_nobody_knows_is_refused_though_others_will_do(which, make):
    bench = Bench("x")
    error = bench.refused(**{which: make("x?")})
    assert type(error) is InvalidDependency
    assert "?, which the task scheduler does not know" in str(error)


def test_a_job_that_names_itself_is_refused():
    bench = Bench("x")
    bench.known.add("job")
    assert str(bench.refused(after=all_of(["x", "job"]))) == ("task job depends on itself")


def test_who_can_never_run_leaves_the_others():
    bench = Bench("xy")
    bench.add(after="xy")
    bench.add(after=all_of("x", False, True))
    error, nothing = bench.end("x", ok=False)
    assert "depends on x, which failed" in str(error)
    assert nothing is None
    assert bench.graph._waiting_for == {}
