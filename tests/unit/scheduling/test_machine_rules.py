"""Whatever happens, in whatever order, the task machine keeps its promises.

Hypothesis plays clients, engines and the clock; a plain model next to the machine knows what each
task and each engine must be at.
"""

from dataclasses import dataclass, field
from itertools import count

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from ipyparallel.error import EngineError, ImpossibleDependency
from ipyparallel.scheduling.commands import Deliver, Fail
from ipyparallel.scheduling.machine import TaskMachine
from ipyparallel.scheduling.policies import LeastLoad
from ipyparallel.scheduling.state import Job
from ipyparallel.scheduling.state import Phase as JobPhase

#: What an engine may say a task took; negative: it does not say.
SECONDS = st.sampled_from([0.0001, 0.0, 0.0001, 0.0003, 0.0008, 0.0001, 3.0, 0.005, -1.0])


@dataclass
class TaskModel:
    job: Job
    number: int
    targets: frozenset
    engine: str | None = None
    ends: list = field(default_factory=list)

    @property
    def waits(self):
        return self.engine is None and not self.ends


@dataclass
class EngineModel:
    #: What was sent to it and has not come back, in the order in which it runs them.
    held: list = field(default_factory=list)
    #: What it was asked to give back, and has not answered yet.
    asked: list | None = None


class Rules(RuleBasedStateMachine):
    def __init__(self, hwm):
        super().__init__()
        self.hwm = hwm
        self.machine = TaskMachine(LeastLoad(), hwm)
        self.tasks = {}
        self.engines = {}
        self.gone = {}
        self.now = 0.0
        self.numbers = count()

    # ---- what may happen

    @initialize(engines=st.sampled_from([3, 2, 0, 1]), quick=st.sampled_from([True, True, False]))
    def begin(self, engines, quick):
        for number in range(engines):
            self.join()
            if quick:
                self.submit_to(frozenset((f"engine-{number}",)))
                self.finish_on(f"engine-{number}", 0.0001)

    @precondition(lambda self: len(self.engines) < 4)
    @rule()
    def join(self):
        number = len(self.engines) + len(self.gone)
        uuid = f"engine-{number}"
        self.engines[uuid] = EngineModel()
        self.machine.engine_joined(uuid, number, self.now)
        self.obey()

    @precondition(lambda self: self.engines)
    @rule(data=st.data())
    def leave(self, data):
        uuid = data.draw(st.sampled_from(sorted(self.engines)))
        engine = self.gone[uuid] = self.engines.pop(uuid)
        self.machine.engine_left(uuid, "killed by SIGKILL")
        failed = self.obey()
        for command in failed:
            assert isinstance(command, Fail)
            if command.job.msg_id in engine.held:
                assert type(command.error) is EngineError
                assert "killed by SIGKILL" in str(command.error)
            else:
                assert type(command.error) is ImpossibleDependency
        assert all(self.tasks[msg_id].ends for msg_id in engine.held)

    @rule(times=st.integers(1, 4))
    def submit(self, times):
        for _ in range(times):
            self.submit_to(frozenset())

    @rule(data=st.data(), times=st.integers(1, 4))
    def submit_restricted(self, data, times):
        # some are there, some have been, one comes later
        known = sorted({*self.engines, *self.gone, f"engine-{len(self.engines) + len(self.gone)}"})
        targets = data.draw(st.sets(st.sampled_from(known), min_size=1, max_size=3))
        for _ in range(times):
            self.submit_to(frozenset(targets))

    def submit_to(self, targets):
        number = next(self.numbers)
        job = Job(f"task-{number}", targets)
        self.tasks[job.msg_id] = TaskModel(job, number, targets)
        self.machine.submitted(job, self.now)
        self.obey()

    @precondition(lambda self: any(e.held for e in self.engines.values()))
    @rule(data=st.data(), seconds=SECONDS)
    def finish(self, data, seconds):
        uuid = data.draw(st.sampled_from(sorted(u for u, e in self.engines.items() if e.held)))
        self.finish_on(uuid, seconds)

    def finish_on(self, uuid, seconds=0.001):
        # not taken out of the model before the machine says that it is delivered
        msg_id = self.engines[uuid].held[0]
        reply = object()
        self.machine.finished(uuid, msg_id, seconds, reply, self.now)
        first, *_ = self.obey()
        assert first == Deliver(self.tasks[msg_id].job, reply)

    @precondition(lambda self: any(e.held for e in self.gone.values()))
    @rule(data=st.data())
    def answer_of_the_dead(self, data):
        uuid = data.draw(st.sampled_from(sorted(u for u, e in self.gone.items() if e.held)))
        msg_id = data.draw(st.sampled_from(self.gone[uuid].held))
        self.machine.finished(uuid, msg_id, 0.001, object(), self.now)
        self.machine.returned(uuid, [msg_id], self.now)
        self.machine.engine_left(uuid, "again")
        assert self.obey() == []

    @rule(seconds=st.sampled_from([1.0, 0.06, 0.02]))
    def tick(self, seconds):
        self.after(seconds)

    def after(self, seconds):
        self.now += seconds
        self.machine.tick(self.now)
        self.obey()

    @precondition(lambda self: any(len(e.held) > 1 for e in self.engines.values()))
    @rule(data=st.data())
    def one_is_slow(self, data):
        several = sorted(u for u, e in self.engines.items() if len(e.held) > 1)
        slow = data.draw(st.sampled_from(several))
        for uuid, engine in self.engines.items():
            while uuid != slow and engine.held:
                self.finish_on(uuid, 0.0001)
        self.after(1.0)

    @precondition(lambda self: any(e.asked is not None for e in self.engines.values()))
    @rule(data=st.data())
    def answer_recall(self, data):
        asking = sorted(u for u, e in self.engines.items() if e.asked is not None)
        uuid = data.draw(st.sampled_from(asking))
        engine = self.engines[uuid]
        # all after the one begun last, which may be any: the engine went on meanwhile
        left = [msg_id for msg_id in engine.asked if msg_id in engine.held]
        self.give_back(uuid, left[data.draw(st.integers(0, len(left))) :])

    def give_back(self, uuid, msg_ids):
        engine = self.engines[uuid]
        engine.asked = None
        for msg_id in msg_ids:
            engine.held.remove(msg_id)
            self.tasks[msg_id].engine = None
        self.machine.returned(uuid, msg_ids, self.now)
        self.obey()

    # ---- what the commands must be

    def obey(self):
        commands = self.machine.take()
        for command in commands:
            getattr(self, f"on_{type(command).__name__.lower()}")(*command)
        return commands

    def on_dispatch(self, engine, job):
        task, model = self.tasks[job.msg_id], self.engines[engine.uuid]
        assert task.waits, "sent while it was elsewhere, or had ended"
        assert self.may_run(task, engine.uuid)
        assert model.asked is None, "sent while it was unknown what the engine gives back"
        assert len(model.held) < self.limit(engine.uuid)
        for other in self.tasks.values():
            if other.waits and other.number < task.number:
                assert not self.may_run(other, engine.uuid), "overtook one that waited longer"
        task.engine = engine.uuid
        model.held.append(job.msg_id)

    def on_recall(self, engine, jobs):
        model = self.engines[engine.uuid]
        assert self.hwm == "auto"
        assert model.asked is None
        assert any(not e.held for e in self.engines.values()), "asked back for nobody"
        model.asked = [job.msg_id for job in jobs]
        assert model.asked == model.held[1:]
        assert model.asked

    def on_deliver(self, job, reply):
        task = self.tasks[job.msg_id]
        assert not task.ends
        self.engines[task.engine].held.remove(job.msg_id)
        task.engine = None
        task.ends.append(reply)

    def on_fail(self, job, error):
        task = self.tasks[job.msg_id]
        assert not task.ends
        assert task.engine not in self.engines
        task.engine = None
        task.ends.append(error)

    def may_run(self, task, uuid):
        return not task.targets or uuid in task.targets

    def limit(self, uuid):
        if self.hwm == "auto":
            limit = self.machine.engines[uuid].limit
            assert 1 <= limit <= 8
            return limit
        return self.hwm or float("inf")

    # ---- what always holds

    @invariant()
    def books_agree(self):
        open_tasks = {msg_id for msg_id, task in self.tasks.items() if not task.ends}
        assert set(self.machine.jobs) == open_tasks
        assert self.machine.waiting == sum(task.waits for task in self.tasks.values())
        assert set(self.machine.engines) == set(self.engines)
        for uuid, engine in self.engines.items():
            assert list(self.machine.engines[uuid].running) == engine.held

    @invariant()
    def no_engine_has_room_while_a_task_waits_for_it(self):
        for uuid, engine in self.engines.items():
            if engine.asked is None and len(engine.held) < self.limit(uuid):
                waiting = [t for t in self.tasks.values() if t.waits and self.may_run(t, uuid)]
                assert waiting == []

    @invariant()
    def none_waits_for_engines_that_are_gone(self):
        for task in self.tasks.values():
            assert not (task.waits and task.targets) or task.targets & set(self.engines)

    @invariant()
    def no_ended_task_is_kept(self):
        for engine in self.machine.engines.values():
            kept = list(engine.waiting.values())
            assert all(job.phase is JobPhase.WAITING for job in kept)

    @invariant()
    def asks_for_ticks_while_something_might_be_recalled(self):
        holds_several = any(len(e.held) > 1 for e in self.engines.values())
        assert self.machine.needs_tick == (self.hwm == "auto" and holds_several)

    # ---- the end

    def teardown(self):
        """When all engines answer everything, nothing is left."""
        while self.machine.jobs:
            if not self.engines:
                self.join()
            for uuid, engine in self.engines.items():
                if engine.asked is not None:
                    self.give_back(uuid, [m for m in engine.asked if m in engine.held])
                elif engine.held:
                    self.finish_on(uuid)
        assert all(len(task.ends) == 1 for task in self.tasks.values())
        assert self.machine.waiting == 0
        assert all(not e.running and not e.waiting for e in self.machine.engines.values())
        for uuid in list(self.engines):
            self.machine.engine_left(uuid, "")
        assert self.machine.take() == []


@pytest.mark.timeout(400)  # as long as it may take to shrink what was found
@pytest.mark.parametrize("hwm", ["auto", 0, 1, 3])
def test_promises_hold_in_any_order_of_events(hwm):
    run_state_machine_as_test(
        lambda: Rules(hwm),
        settings=settings(
            max_examples=40,
            stateful_step_count=40,
            deadline=None,
            database=None,
            suppress_health_check=[HealthCheck.too_slow],
            # to explain takes longer than to find
            phases=[phase for phase in Phase if phase is not Phase.explain],
        ),
    )
