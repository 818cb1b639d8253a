"""The board: which lines there are, which engines serve them, and what it forgets."""

import gc
import weakref

import pytest

from ipyparallel.scheduling.board import REPLACEMENT, Board
from ipyparallel.scheduling.policies import LeastLoad
from ipyparallel.scheduling.state import Engine, Job, Owner
from tests.support.machine_driver import terms

GPU = {"gpu": 1}


class Bench:
    """A board, jobs one after the other, and engines of one letter each."""

    def __init__(self, engines="", resources=None):
        self.board = Board(LeastLoad())
        self.owner = Owner("owner")
        self.number = 0
        for uuid in engines:
            self.join(uuid, resources)

    def join(self, uuid, resources=None, engine_id=None, now=0.0):
        engine_id = ord(uuid) - ord("a") if engine_id is None else engine_id
        engine = Engine(uuid, engine_id, 1.0, resources)
        return engine, self.board.join(engine, now)

    def job(self, avoided="", unmet="", **asked):
        self.number += 1
        job = Job(str(self.number), terms(**asked))
        job.sequence, job.owner = self.number, self.owner
        job.avoided, job.unmet = frozenset(avoided), frozenset(unmet)
        return job

    def wait(self, **asked):
        job = self.job(**asked)
        self.board.wait(job)
        return job

    @property
    def lines(self):
        """How many lines there are besides the common one, after a look at what links them."""
        lines = self.board._lines.values()
        for engine in self.board.engines.values():
            assert set(engine.lines) == {line for line in lines if line.suits(engine)}
        for line in lines:
            assert line.engines == {e for e in self.board.engines.values() if line.suits(e)}
        return len(lines) - 1


# ---- lines


def test_jobs_that_may_run_on_the_same_engines_share_a_line():
    bench = Bench("abc")
    for _ in range(2):
        bench.wait()
        bench.wait(targets="ab")
        bench.wait(targets="a", avoided="b")
        bench.wait(avoided="a", unmet="b")
        bench.wait(avoided="b", unmet="a")
        bench.wait(resources={"gpu": 1, "mem": 2})
        bench.wait(resources={"mem": 2, "gpu": 1}, targets="")
        bench.wait(resources={"mem": 3, "gpu": 1})
    assert bench.lines == 5


def test_a_line_is_forgotten_when_the_last_job_leaves_it():
    bench = Bench("abc")
    jobs = [bench.wait(targets="ab"), bench.wait(targets="ab"), bench.wait(resources=GPU)]
    assert bench.lines == 2
    bench.board.discard(jobs[0])
    assert bench.lines == 2
    bench.board.discard(jobs[2])
    bench.board.discard(jobs[1])
    assert bench.lines == 0
    bench.board.discard(jobs[1])  # it waits no more: nothing is done


def test_a_line_is_forgotten_when_the_last_job_is_given_to_an_engine():
    bench = Bench("ab")
    job = bench.wait(targets="a")
    assert bench.board.next_for(bench.board.engines["a"]) is job
    assert bench.lines == 0
    assert bench.board.next_for(bench.board.engines["a"]) is None


def test_the_common_line_is_always_there():
    bench = Bench("a")
    job = bench.wait()
    bench.board.discard(job)
    assert bench.lines == 0
    job = bench.wait()
    assert bench.board.next_for(bench.board.engines["a"]) is job


def test_an_engine_that_joins_serves_the_lines_that_suit_it():
    bench = Bench("a", GPU)
    bench.wait(targets="ab")
    bench.wait(avoided="a", targets="")
    bench.wait(resources=GPU)
    bench.join("b")
    bench.join("c", GPU)
    assert bench.lines == 3
    assert [len(bench.board.engines[uuid].lines) for uuid in "abc"] == [3, 3, 3]


# ---- engines that leave


def test_those_that_no_engine_serves_any_more_are_stranded():
    bench = Bench("ab")
    one, two, anywhere = bench.wait(targets="a"), bench.wait(targets="a"), bench.wait()
    both = bench.wait(targets="ab")
    engine, stranded = bench.board.leave("a")
    assert engine.uuid == "a"
    assert stranded == [one, two]
    assert one.line is two.line is None
    assert bench.lines == 1
    assert bench.board.leave("b")[1] == [both]
    assert bench.lines == 0
    assert list(bench.board._common) == [anywhere]


def test_nobody_leaves_twice():
    bench = Bench("a")
    assert bench.board.leave("a") is not None
    assert bench.board.leave("a") is None
    assert bench.board.leave("nobody") is None


def test_engines_have_numbers_as_long_as_they_are_there():
    bench = Bench("ab")
    first, second = (bench.board.engines[uuid].number for uuid in "ab")
    assert (first, second) == (1, 2)
    bench.board.leave("a")
    job = bench.job()
    assert bench.board.place_of(job, 1) is None
    assert bench.board.place_of(job, 2) == "b"
    assert bench.board.place_of(job, 0) is None
    assert bench.board.place_of(bench.job(targets="a"), 2) is None
    assert bench.board.place_of(bench.job(unmet="b"), 2) is None
    assert bench.board.place_of(bench.job(resources=GPU), 2) is None
    again, _ = bench.join("a")
    assert again.number == 3
    assert bench.board._by_number == {2: "b", 3: "a"}


def test_engines_that_have_left_are_let_go():
    bench = Bench("ab")
    engines = weakref.WeakSet()

    class Seen(Engine):
        """One that can tell when it is forgotten."""

    for number in range(50):
        engine = Seen(f"x{number}", 9, 5.0, GPU)
        engines.add(engine)
        bench.board.join(engine, 0.0)
        engine.running = {str(i): bench.job() for i in range(3)}
        bench.board.changed(engine)
        bench.board.expect(engine, 0.0)
        bench.wait(targets=[engine.uuid])
        bench.board.leave(engine.uuid)
    bench.board.give_up(REPLACEMENT)
    del engine
    gc.collect()
    assert len(engines) == 0
    assert bench.lines == 0


# ---- whether a job can run


@pytest.mark.parametrize(
    ("asked", "could"),
    [
        ({}, True),
        ({"targets": "ax"}, True),
        ({"targets": "xy"}, False),
        ({"unmet": "a"}, True),
        ({"unmet": "ab"}, False),
        ({"targets": "a", "unmet": "a"}, False),
        ({"avoided": "ab"}, True),
        ({"targets": "a", "avoided": "a"}, True),
        ({"resources": GPU}, True),
        ({"resources": {"gpu": 2}}, False),
        ({"resources": GPU, "targets": "b"}, False),
        ({"resources": GPU, "unmet": "a"}, False),
        ({"resources": GPU, "avoided": "a"}, True),
    ],
    ids=str,
)
def test_whether_a_job_could_run(asked, could):
    bench = Bench("a", GPU)
    bench.join("b")
    assert bench.board.could_run(bench.job(**asked)) is could


def test_where_it_failed_counts_only_as_long_as_there_are_others():
    bench = Bench("ab")
    job = bench.job(avoided="a")
    assert bench.board.could_run(job)
    assert job.avoided == {"a"}
    job = bench.job(avoided="a", unmet="b")
    assert bench.board.could_run(job)
    assert job.avoided == frozenset()
    job = bench.job(avoided="ab")
    assert bench.board.could_run(job)
    assert job.avoided == frozenset()


@pytest.mark.parametrize("asked", [{}, {"resources": GPU}, {"unmet": "a"}, {"avoided": "a"}])
def test_without_engines_there_is_hope(asked):
    assert Bench().board.could_run(Bench().job(**asked))


def test_without_engines_there_is_none_for_targets():
    assert not Bench().board.could_run(Bench().job(targets="a"))


# ---- replacements


def test_an_engine_to_be_replaced_gets_nothing_and_what_it_has_is_expected():
    bench = Bench("a", GPU)
    bench.join("b")
    engine = bench.board.engines["a"]
    bench.board.expect(engine, 5.0)
    assert engine.full
    assert bench.board.next_deadline == 5.0 + REPLACEMENT
    bench.board.leave("a")
    assert bench.board.could_run(bench.job(resources=GPU))
    assert not bench.board.could_run(bench.job(resources={"gpu": 2}))
    job = bench.wait(resources=GPU)
    assert bench.board.give_up(4.0 + REPLACEMENT) == ([], [])
    assert bench.board.give_up(5.0 + REPLACEMENT) == ([job], [])
    assert bench.board.next_deadline is None
    assert not bench.board.could_run(job)


def test_one_that_is_still_there_works_again():
    bench = Bench("a", GPU)
    engine = bench.board.engines["a"]
    bench.board.expect(engine, 0.0)
    assert bench.board.give_up(REPLACEMENT) == ([], [engine])
    assert not engine.full


def test_a_job_runs_where_it_has_failed_rather_than_wait_for_a_replacement():
    bench = Bench("ab")
    bench.board.expect(bench.board.engines["b"], 0.0)
    job = bench.job(avoided="a")
    assert bench.board.could_run(job)
    assert job.avoided == {"a"}  # the other one is still there
    bench.board.leave("b")
    assert bench.board.could_run(job)
    assert not job.avoided


def test_another_under_its_id_is_its_replacement():
    bench = Bench("a", GPU)
    bench.join("b")
    bench.board.expect(bench.board.engines["a"], 0.0)
    bench.board.leave("a")
    served, unserved = bench.wait(resources=GPU), bench.wait(unmet="b", targets="")
    assert bench.join("c", GPU, engine_id=0)[1] == []
    assert bench.board.next_deadline is None
    assert bench.board.next_for(bench.board.engines["c"]) is served
    assert bench.board.next_for(bench.board.engines["c"]) is unserved


def test_the_deadline_is_that_which_comes_first():
    bench = Bench("ab", GPU)
    bench.board.expect(bench.board.engines["a"], 0.0)
    bench.board.expect(bench.board.engines["b"], 7.0)
    assert bench.board.next_deadline == REPLACEMENT
    bench.board.leave("a")
    bench.board.leave("b")
    bench.wait(resources={"gpu": 9})
    bench.join("c", now=-5.0)
    assert bench.board.next_deadline == REPLACEMENT - 5.0


# ---- who goes where


def test_a_job_for_any_engine_waits_when_others_do():
    bench = Bench("a")
    assert bench.board.engine_for_any() is bench.board.engines["a"]
    bench.wait()
    assert bench.board.engine_for_any() is None


def test_engines_with_room_come_the_best_first():
    bench = Bench("abc", GPU)
    for uuid, load in (("a", 2), ("b", 1), ("c", 0)):
        engine = bench.board.engines[uuid]
        engine.limit = 9.0
        engine.running = {str(i): bench.job() for i in range(load)}
        bench.board.changed(engine)
    for asked in ({"targets": "abc"}, {"resources": GPU}, {"avoided": "c"}):
        job = bench.job(**asked)
        line = bench.board.wait(job)
        expected = "ba" if "avoided" in asked else "cba"
        assert [e.uuid for e in bench.board.engines_for(line, job)] == list(expected)


def test_only_who_goes_first_may_find_room():
    bench = Bench("a", GPU)
    first, second = bench.job(resources=GPU), bench.job(resources=GPU)
    bench.board.wait(first)
    line = bench.board.wait(second)
    assert list(bench.board.engines_for(line, second)) == []
    assert len(list(bench.board.engines_for(line, first))) == 1


def test_engines_that_hold_several_are_known():
    bench = Bench("ab")
    engine = bench.board.engines["a"]
    engine.running = {"1": bench.job(), "2": bench.job()}
    bench.board.changed(engine)
    assert list(bench.board.crowded) == [engine]
    engine.running.popitem()
    bench.board.changed(engine)
    assert list(bench.board.crowded) == []
