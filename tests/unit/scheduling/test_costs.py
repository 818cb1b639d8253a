"""What an event costs does not grow with how much waits, nor with the engines: calls are counted.

Every call of a Python function in the package counts, and each C function that these call; work
that C does within one call (a set of all engines, say) is seen by `Counted` collections.
"""

import sys
from collections import OrderedDict

import pytest

from ipyparallel.scheduling.dependencies import Dependency
from ipyparallel.scheduling.machine import TaskMachine
from ipyparallel.scheduling.policies import POLICIES
from ipyparallel.scheduling.state import Job
from tests.support.machine_driver import SHORT, terms


def calls(act):
    """How many calls are made while `act` runs."""
    made = 0

    def count(frame, event, arg):
        nonlocal made
        made += event in ("call", "c_call")

    before = sys.getprofile()
    sys.setprofile(count)
    try:
        act()
    finally:
        sys.setprofile(before)
    return made


class Looks:
    """How many items were looked at in all counted collections."""

    number = 0


def counted(kind):
    """A collection that counts what is looked at one by one."""

    class Counted(kind):
        def __iter__(self):
            for item in super().__iter__():
                Looks.number += 1
                yield item

        def values(self):
            for value in super().values():
                Looks.number += 1
                yield value

        def items(self):
            for item in super().items():
                Looks.number += 1
                yield item

    return Counted()


class Bench:
    """A machine with engines that are all busy, or all but one."""

    def __init__(self, engines=3, hwm=1, policy="leastload"):
        self.machine = TaskMachine(POLICIES[policy](), hwm)
        self.machine.engines = self.machine._board.engines = counted(dict)
        self.machine.jobs = counted(dict)
        self.machine._graph._is_known = self.machine.jobs.__contains__
        for number in range(engines):
            self.machine.engine_joined(f"e{number}", number, 0.0, {"gpu": 1})
            engine = self.machine.engines[f"e{number}"]
            running, engine.running = engine.running, counted(OrderedDict)
            assert not running
        self.number = 0

    def submit(self, times=1, **asked):
        made = terms(**asked)
        for _ in range(times):
            self.number += 1
            self.machine.submitted(Job(f"s_{self.number}", made, "a"), 0.0)

    def fill(self):
        for uuid in list(self.machine.engines):
            self.submit(targets=[uuid])

    def finish(self, uuid="e0"):
        msg_id = next(iter(self.machine.engines[uuid].running))
        self.machine.finished(uuid, msg_id, SHORT, None, 0.0)
        self.machine.tick(0.0)
        self.machine.patience(0.0)
        self.machine.take()

    def cost(self, act):
        """Calls, and items looked at; the least of some times: now and then things are tidied."""
        act()
        costs = []
        for _ in range(5):
            Looks.number = 0
            costs.append(calls(act) + Looks.number)
        return min(costs)


def same(few, many):
    """Whether a cost is the same, but for a little (a heap is one level deeper, say)."""
    assert many <= 1.25 * few + 10, f"{few} calls with few, {many} with many"


SITUATIONS = {
    "waiting for any engine": lambda bench, n: bench.submit(n),
    "waiting for a busy one": lambda bench, n: bench.submit(n, targets=["e1"]),
    "waiting for what finishes": lambda bench, n: bench.submit(n, targets=["e0"]),
    "waiting for resources": lambda bench, n: bench.submit(n, resources={"gpu": 1}),
    "blocked by a busy one": lambda bench, n: bench.submit(n, after=Dependency(["s_2"])),
    "following a busy one": lambda bench, n: bench.submit(n, follow=Dependency(["s_2"])),
    "blocked, with a time": lambda bench, n: bench.submit(
        n, after=Dependency(["s_2"]), timeout=9.0
    ),
    "waiting, with a time": lambda bench, n: bench.submit(n, timeout=9.0, time_limit=9.0),
}


@pytest.mark.parametrize("hwm", [1, "auto"])
@pytest.mark.parametrize("situation", SITUATIONS)
def test_to_finish_a_task_costs_the_same_however_many_wait(situation, hwm):
    costs = []
    for number in (100, 10_000):
        bench = Bench(hwm=hwm)
        bench.fill()
        bench.submit(10, targets=["e0"])
        SITUATIONS[situation](bench, number)
        costs.append(bench.cost(bench.finish))
    same(*costs)


@pytest.mark.parametrize("situation", SITUATIONS)
def test_to_submit_a_task_costs_the_same_however_many_wait(situation):
    costs = []
    for number in (100, 10_000):
        bench = Bench()
        bench.fill()
        SITUATIONS[situation](bench, number)
        costs.append(bench.cost(lambda bench=bench: SITUATIONS[situation](bench, 1)))
    same(*costs)


@pytest.mark.parametrize("timed", [{}, {"time_limit": 9.0}, {"timeout": 9.0}])
def test_to_finish_a_task_costs_the_same_however_many_its_engine_holds(timed):
    costs = []
    for number in (100, 10_000):
        bench = Bench(engines=1, hwm=0)
        bench.submit(number, **timed)
        costs.append(bench.cost(bench.finish))
    same(*costs)


@pytest.mark.parametrize("policy", ["leastload", "lru", "plainrandom", "twobin", "weighted"])
def test_a_task_for_any_engine_costs_the_same_however_many_engines_there_are(policy):
    costs = []
    for number in (10, 1000):
        bench = Bench(engines=number, policy=policy)

        def run(bench=bench):
            bench.submit()
            busy = bench.machine.take()[0].engine.uuid
            bench.finish(busy)

        costs.append(bench.cost(run))
    same(*costs)


@pytest.mark.parametrize("hwm", [1, "auto"])
def test_a_task_that_depends_on_another_costs_the_same_however_many_engines_there_are(hwm):
    costs = []
    for number in (10, 1000):
        bench = Bench(engines=number, hwm=hwm)

        def run(bench=bench):
            bench.submit()
            busy = bench.machine.take()[0].engine.uuid
            bench.submit(after=Dependency([f"s_{bench.number}"]))
            msg_id = next(iter(bench.machine.engines[busy].running))
            bench.machine.finished(busy, msg_id, SHORT, None, 0.0)
            bench.finish(bench.machine.take()[-1].engine.uuid)

        costs.append(bench.cost(run))
    same(*costs)


def test_to_end_a_task_touches_those_only_that_wait_for_it():
    bench = Bench(engines=1)
    bench.submit(2)
    for number in range(10_000):
        bench.submit(after=Dependency(["s_1" if number < 10 else "s_2"]))
    looked = []
    ended = bench.machine._graph.ended

    def recording(msg_id, outcome):
        for job, error in ended(msg_id, outcome):
            looked.append(job)
            yield job, error

    bench.machine._graph.ended = recording
    bench.finish()
    assert len(looked) == 10


def test_the_cost_that_is_counted_would_be_seen():
    """Of one who looks at all that wait, as those here must not."""
    costs = []
    for number in (100, 10_000):
        bench = Bench()
        bench.fill()
        bench.submit(number)
        costs.append(bench.cost(lambda b=bench: list(b.machine.jobs.values())))
    with pytest.raises(AssertionError, match="calls with few"):
        same(*costs)
