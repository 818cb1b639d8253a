"""A plain model of tasks and engines, which drives a task machine and checks what it does."""

from dataclasses import dataclass, field
from itertools import count

from ipyparallel.error import (
    DependencyTimeout,
    EngineError,
    ImpossibleDependency,
    InvalidDependency,
    TaskTimeout,
)
from ipyparallel.scheduling.board import REPLACEMENT
from ipyparallel.scheduling.commands import Deliver
from ipyparallel.scheduling.machine import TaskMachine, Verdict
from ipyparallel.scheduling.policies import LeastLoad
from ipyparallel.scheduling.state import Job
from ipyparallel.scheduling.state import Phase as JobPhase


@dataclass
class TaskModel:
    job: Job
    number: int
    owner: str
    submitted: float
    engine: str | None = None
    ends: list = field(default_factory=list)
    #: Where it ran to its end, and whether it succeeded.
    ran_on: str | None = None
    ok: bool = False
    #: How many times it failed on an engine, or with one.
    failures: int = 0
    #: How many times it was sent.
    sent: int = 0
    #: How many times it came back without having begun.
    came_back: int = 0
    cancelled: bool = False
    #: Whether it is to be interrupted, if it runs.
    insisted: bool = False
    #: Whether its result was lost on the way, once.
    lost: bool = False
    #: Whether nobody can send it: an engine has brought it along.
    adopted: bool = False

    @property
    def terms(self):
        return self.job.terms

    @property
    def waits(self):
        return self.engine is None and not self.ends


@dataclass
class EngineModel:
    resources: dict
    #: What was sent to it and has not come back, in the order in which it runs them.
    held: list = field(default_factory=list)
    #: Those of these that wait for others.
    paused: list = field(default_factory=list)
    #: What it was asked to give back, and has not answered yet.
    asked: list | None = None
    #: What it was asked to cancel, and has not answered yet.
    to_cancel: dict = field(default_factory=dict)
    #: Until when it is to be replaced, if it is.
    condemned: float = 0.0
    #: The number under which clients know it; its replacement has the same.
    number: int = 0
    #: Whether nothing is heard of it.
    away: bool = False
    #: Whether its connection is broken, and whether this was noticed.
    cut: bool = False
    lost: bool = False

    @property
    def reachable(self):
        return not (self.away or self.lost)

    @property
    def active(self):
        return [msg_id for msg_id in self.held if msg_id not in self.paused]


class Model:
    def __init__(self, hwm):
        self.hwm = hwm
        self.machine = TaskMachine(LeastLoad(), hwm)
        self.tasks = {}
        self.engines = {}
        self.gone = {}
        self.now = 0.0
        self.numbers = count()
        self.turns = {}
        self.sent = 0
        self.requests = {}
        #: Whether engines are asked again what they were asked before.
        self.again = False
        #: Whether no promise was broken; one that was breaks others.
        self.sound = True

    @property
    def busy(self):
        return sorted(uuid for uuid, engine in self.engines.items() if engine.active)

    @property
    def pausing(self):
        return sorted(uuid for uuid, engine in self.engines.items() if engine.paused)

    @property
    def asked_back(self):
        return sorted(uuid for uuid, engine in self.engines.items() if engine.asked is not None)

    @property
    def asked_to_cancel(self):
        return sorted(uuid for uuid, engine in self.engines.items() if engine.to_cancel)

    # ---- events

    @property
    def condemned(self):
        return sorted(uuid for uuid, engine in self.engines.items() if engine.condemned)

    def join(self, resources=(), number=None):
        uuid = f"engine-{len(self.engines) + len(self.gone)}"
        number = len(self.engines) + len(self.gone) if number is None else number
        self.engines[uuid] = EngineModel(dict(resources), number=number)
        self.machine.engine_joined(uuid, number, self.now, dict(resources))
        self.obey()
        return uuid

    def leave(self, uuid):
        engine = self.gone[uuid] = self.engines.pop(uuid)
        head = engine.active[0] if engine.active else None
        for msg_id in engine.held:
            task = self.tasks[msg_id]
            task.engine = None
            if engine.condemned and msg_id != head and msg_id not in engine.paused:
                task.came_back += 1
            else:
                task.failures += 1
        self.machine.engine_left(uuid, "killed by SIGKILL", self.now)
        self.obey()

    # ---- engines out of reach

    def away(self, uuid):
        self.engines[uuid].away = True
        self.machine.engine_away(uuid)
        self.obey()

    def back(self, uuid):
        self.engines[uuid].away = False
        self.machine.engine_back(uuid, self.now)
        self.obey()

    def cut(self, uuid):
        self.engines[uuid].cut = True

    def reach(self, uuid):
        engine = self.engines[uuid]
        engine.cut = engine.lost = False
        self.machine.engine_reached(uuid, self.now)
        self.obey()

    def lose(self, uuid, msg_ids):
        """These were on their way when the connection broke."""
        sendings = self.sendings(msg_ids)
        for msg_id in msg_ids:
            self.lift(uuid, msg_id)
            self.tasks[msg_id].came_back += 1
        self.machine.never_came(uuid, sendings, self.now)
        self.obey()

    def lose_results(self, uuid, msg_ids):
        """The replies to these were on their way."""
        sendings = self.sendings(msg_ids)
        for msg_id in msg_ids:
            self.lift(uuid, msg_id)
            self.tasks[msg_id].failures += 1
            self.tasks[msg_id].lost = True
        self.machine.results_lost(uuid, sendings, self.now)
        self.obey()

    def lift(self, uuid, msg_id):
        """A task is not on its engine any more."""
        engine = self.engines[uuid]
        engine.held.remove(msg_id)
        self.tasks[msg_id].engine = None
        if engine.asked is not None and msg_id in engine.asked:
            engine.asked.remove(msg_id)

    def ask_again(self, uuid):
        """What was asked of an engine may have been lost."""
        self.machine.errands_lost(uuid)
        self.again = True
        self.obey()
        self.again = False

    def come_back(self, uuid, foreign, waiting):
        """An engine that was given up is there again, with tasks of another time, and with some
        that are to be sent here.
        """
        number = self.gone.pop(uuid).number
        engine = self.engines[uuid] = EngineModel({}, number=number)
        new = [f"foreign_{len(self.tasks) + i}" for i in range(foreign)]
        held = [*new, *waiting]
        self.machine.engine_joined(uuid, number, self.now, {}, [f"{i}#3" for i in held])
        for msg_id in new:
            task = TaskModel(self.machine.jobs[msg_id], next(self.numbers), "", self.now)
            task.adopted = True
            self.tasks[msg_id] = task
            self.turns.setdefault("", self.sent - 1)
        for msg_id in held:
            self.tasks[msg_id].engine = uuid
            self.tasks[msg_id].sent += 1
            engine.held.append(msg_id)
        self.obey()

    def claim(self, msg_id, terms, owner):
        """A client submits what an engine has brought along."""
        task = self.tasks[msg_id]
        task.adopted = False
        task.owner = owner
        self.forget_turn("")
        self.turns.setdefault(owner, self.sent - 1)
        self.machine.claimed(Job(msg_id, terms, owner), self.now)
        self.obey()

    @property
    def adopted(self):
        return sorted(i for i, t in self.tasks.items() if t.adopted and t.engine in self.engines)

    @property
    def plain_waiting(self):
        """Tasks that wait, and that any engine may have."""
        return sorted(
            msg_id
            for msg_id, task in self.tasks.items()
            if task.waits
            and not (task.terms.targets or task.terms.resources or task.terms.time_limit)
            and not (task.terms.after or task.terms.follow or task.job.unmet or task.cancelled)
        )

    # ---- clients

    def submit(self, terms, owner="a"):
        number = next(self.numbers)
        job = Job(f"task_{number}", terms, owner)
        self.tasks[job.msg_id] = TaskModel(job, number, owner, self.now)
        self.turns.setdefault(owner, self.sent - 1)
        self.machine.submitted(job, self.now)
        self.obey()

    def finish(self, uuid, seconds=0.001, verdict=Verdict.OK):
        engine = self.engines[uuid]
        msg_id = engine.active[0]
        task = self.tasks[msg_id]
        engine.held.remove(msg_id)
        task.engine = None
        task.ran_on, task.ok = uuid, verdict is Verdict.OK
        if verdict is Verdict.UNMET and not (task.cancelled or task.job.overdue):
            task.came_back += 1
        elif verdict is not Verdict.OK:
            task.failures += 1
        reply = object()
        self.machine.finished(uuid, msg_id, seconds, reply, self.now, verdict, "no such thing")
        commands = self.obey()
        if verdict is Verdict.OK:
            assert commands[0] == Deliver(task.job, reply)

    def answer_of_the_dead(self, uuid, msg_id):
        self.machine.finished(uuid, msg_id, 0.001, object(), self.now)
        self.machine.returned(uuid, [msg_id], self.now)
        self.machine.cancelled(uuid, {msg_id: "queued"}, self.now)
        self.machine.engine_left(uuid, "again", self.now)
        self.machine.paused(uuid, msg_id, self.now)
        self.machine.resumed(uuid, msg_id)
        assert self.obey() == []

    def give_back(self, uuid, begun):
        engine = self.engines[uuid]
        # all after the one begun last, which may be any: the engine went on meanwhile
        left = [msg_id for msg_id in engine.asked if msg_id in engine.active]
        if left and engine.active[0] == left[0]:
            begun = max(begun, 1)
        given = left[begun:]
        engine.asked = None
        for msg_id in given:
            engine.held.remove(msg_id)
            self.tasks[msg_id].engine = None
            self.tasks[msg_id].came_back += 1
        self.machine.returned(uuid, self.sendings(given), self.now)
        self.obey()

    def answer_cancel(self, uuid):
        engine = self.engines[uuid]
        asked, engine.to_cancel = engine.to_cancel, {}
        outcomes = {}
        sendings = self.sendings(asked)
        for msg_id in asked:
            if msg_id not in engine.held:
                outcomes[msg_id] = "finished"
            elif msg_id in engine.paused or msg_id == engine.active[0]:
                outcomes[msg_id] = "running" if asked[msg_id] else "spared"
                if not asked[msg_id]:
                    self.tasks[msg_id].cancelled = self.tasks[msg_id].insisted
            else:
                outcomes[msg_id] = "queued"
                self.lift(uuid, msg_id)
                self.tasks[msg_id].came_back += 1
        self.machine.cancelled(uuid, dict(zip(sendings, outcomes.values(), strict=True)), self.now)
        self.obey()

    def sendings(self, msg_ids):
        """How these were sent last."""
        return [self.tasks[msg_id].job.sending for msg_id in msg_ids]

    def pause(self, uuid):
        engine = self.engines[uuid]
        msg_id = engine.active[0]
        engine.paused.append(msg_id)
        self.machine.paused(uuid, msg_id, self.now)
        self.obey()

    def resume(self, uuid):
        # what runs on top of it must have ended
        engine = self.engines[uuid]
        msg_id = engine.paused.pop()
        self.machine.resumed(uuid, msg_id)
        self.obey()

    def cancel(self, msg_ids, interrupt=True):
        request = f"request {len(self.requests)}"
        self.requests[request] = None
        running = {i for i in msg_ids if self.tasks[i].engine is not None}
        for msg_id in msg_ids:
            if not self.tasks[msg_id].ends:
                self.tasks[msg_id].cancelled = True
                self.tasks[msg_id].insisted |= interrupt
        self.machine.cancel(msg_ids, request, self.now, interrupt)
        self.obey()
        for msg_id in set(msg_ids) - running:
            assert self.tasks[msg_id].ends, "cancelled while it waited, and not ended"

    def tick(self, seconds):
        self.now += seconds
        for engine in self.engines.values():
            if engine.condemned <= self.now:
                engine.condemned = 0.0  # it refuses to be replaced
        self.machine.tick(self.now)
        self.obey()
        for task in self.tasks.values():
            timeout = task.terms.timeout
            if task.waits and not task.sent and timeout:
                assert self.now < task.submitted + timeout, "waited longer than it may"

    # ---- what the commands must be

    def obey(self):
        self.sound = False
        obeyed = []
        while commands := self.machine.take():
            for command in commands:
                getattr(self, f"on_{type(command).__name__.lower()}")(*command)
            obeyed += commands
        self.sound = True
        return obeyed

    def on_dispatch(self, engine, job):
        task, model = self.tasks[job.msg_id], self.engines[engine.uuid]
        assert task.waits, "sent while it was elsewhere, or had ended"
        assert not task.cancelled
        assert model.asked is None, "sent while it was unknown what the engine gives back"
        assert not model.condemned
        assert len(model.active) < self.limit(engine.uuid)
        assert task.sent - task.came_back == task.failures <= task.terms.retries
        assert self.is_met(task, engine.uuid)
        task.engine = engine.uuid
        task.sent += 1
        self.sent += 1
        self.turns[task.owner] = self.sent
        assert not model.away
        assert model.cut or not model.lost
        if model.cut:
            model.lost = True
            task.engine = None
            task.came_back += 1
            self.machine.not_sent(engine.uuid, job.msg_id, self.now)
            return
        model.held.append(job.msg_id)
        assert all(engine.free[name] >= 0 for name, _ in task.terms.resources)

    def on_recall(self, engine, jobs):
        model = self.engines[engine.uuid]
        assert self.hwm == "auto" or all(job.expired for job in jobs) or self.again
        assert model.asked is None or self.again
        model.asked = [job.msg_id for job in jobs]
        assert model.asked == [i for i in model.held if i in model.asked]

    def on_cancel(self, engine, jobs, interrupt):
        to_cancel = self.engines[engine.uuid].to_cancel
        for job in jobs:
            to_cancel[job.msg_id] = to_cancel.get(job.msg_id, False) or interrupt

    def on_replace(self, engine, reason):
        self.engines[engine.uuid].condemned = self.now + REPLACEMENT
        assert "time limit" in reason

    def on_deliver(self, job, reply):
        self.end(job, reply, self.tasks[job.msg_id].ok)

    def on_abort(self, job):
        task = self.tasks[job.msg_id]
        assert task.cancelled
        task.ran_on = None  # where it was tried before does not count
        self.end(job, "aborted")

    def on_fail(self, job, error, engine):
        task = self.tasks[job.msg_id]
        if isinstance(error, DependencyTimeout):
            assert task.terms.timeout
        elif isinstance(error, TaskTimeout):
            assert task.terms.time_limit
            assert task.failures > task.terms.retries or task.cancelled
        elif isinstance(error, EngineError) and task.adopted:
            assert task.came_back or task.failures
        elif isinstance(error, EngineError):
            assert engine.uuid in self.gone or task.lost
            assert task.failures > task.terms.retries or task.cancelled
        elif isinstance(error, InvalidDependency):
            assert "nobody_0" in str(error)
        else:
            assert isinstance(error, ImpossibleDependency)
            assert not self.could_run(task), f"{task.terms} {error}"
        task.ran_on = engine.uuid if engine is not None else None
        self.end(job, error)

    def end(self, job, how, ok=False):
        task = self.tasks[job.msg_id]
        assert not task.ends
        assert task.engine is None or task.engine not in self.engines
        task.engine = None
        task.ok = ok
        task.ends.append(how)
        self.forget_turn(task.owner)

    def forget_turn(self, owner):
        """Who has nothing left is forgotten."""
        if not any(t.owner == owner and not t.ends for t in self.tasks.values()):
            del self.turns[owner]

    def on_answer(self, request, outcomes):
        assert self.requests[request] is None, "answered twice"
        self.requests[request] = outcomes

    # ---- the law, slowly

    def limit(self, uuid):
        if self.hwm == "auto":
            limit = self.machine.engines[uuid].limit
            assert 1 <= limit <= 8
            return limit
        return self.hwm or float("inf")

    def ended(self, ok, uuid=None):
        return {
            msg_id
            for msg_id, task in self.tasks.items()
            if task.ends and task.ok is ok and (uuid is None or task.ran_on == uuid)
        }

    def is_met(self, task, uuid):
        """Whether it may run on this engine, apart from its room."""
        terms, engine = task.terms, self.machine.engines[uuid]
        return (
            (not terms.targets or uuid in terms.targets)
            and uuid not in task.job.unmet
            and engine.could_run(terms.resources)
            and (terms.after is None or terms.after.check(self.ended(True), self.ended(False)))
            and (
                terms.follow is None
                or terms.follow.check(self.ended(True, uuid), self.ended(False, uuid))
            )
        )

    def could_run(self, task):
        """Whether it may ever run, as far as is known."""
        terms = task.terms
        anywhere = not self.engines and not terms.targets
        able = anywhere or any(self.is_able(task, uuid) for uuid in self.engines)
        if not able and task.job.phase is not JobPhase.BLOCKED:
            return False  # of one that waits for other tasks, this is told when they have ended
        completed, failed = self.ended(True), self.ended(False)
        if terms.after is not None and terms.after.unreachable(completed, failed):
            return False
        follow = terms.follow
        if follow is not None:
            if follow.unreachable(completed, failed) or not follow <= set(self.tasks):
                return False
            left = [i for i in follow if not self.tasks[i].ends]
            if task.job.phase is JobPhase.BLOCKED:
                return True  # where it may run is looked at when they have ended
            ended = {
                uuid: (self.ended(True, uuid) | set(left), self.ended(False, uuid) | set(left))
                for uuid in self.engines
                if self.is_able(task, uuid)
            }
            # those that have not ended may yet run anywhere
            return any(follow.check(*of_engine) for of_engine in ended.values())
        return True

    def is_able(self, task, uuid):
        terms, engine = task.terms, self.machine.engines[uuid]
        return (
            (not terms.targets or uuid in terms.targets)
            and uuid not in task.job.unmet
            and engine.could_run(terms.resources)
        )

    def next_for(self, uuid):
        """What an engine with room is to run: the first in rank, but that it must not take what
        one before it in rank waits for."""
        engine = self.machine.engines[uuid]
        waiting = [
            task
            for task in self.tasks.values()
            if task.waits and self.is_met(task, uuid) and uuid not in task.job.avoided
        ]
        kept = set()
        for task in sorted(waiting, key=self.rank):
            names = {name for name, _ in task.terms.resources}
            if engine.can_run(task.terms.resources) and not names & kept:
                return task
            kept |= names
        return None

    def is_kept(self, task, uuid):
        """What it needs may have been kept for another, which since has lost its rank: as turns
        change elsewhere, nobody looks here before something happens on the engine."""
        needs = {name for name, _ in task.terms.resources}
        return any(
            other is not task
            and other.waits
            and needs & {name for name, _ in other.terms.resources}
            and self.is_met(other, uuid)
            and self.machine.engines[uuid].running
            for other in self.tasks.values()
        )

    def rank(self, task):
        terms = task.terms
        return -terms.priority, self.turns[task.owner], -terms.depth, task.number

    # ---- what always holds

    def check(self):
        self.sound = False
        self.check_books()
        self.sound = True

    def check_books(self):
        open_tasks = {msg_id for msg_id, task in self.tasks.items() if not task.ends}
        assert set(self.machine.jobs) == open_tasks
        assert self.machine.waiting == sum(task.waits for task in self.tasks.values())
        assert set(self.machine.engines) == set(self.engines)
        for uuid, model in self.engines.items():
            engine = self.machine.engines[uuid]
            assert list(engine.running) == model.held
            head = engine.head
            if head is not None and head.terms.time_limit:
                assert head.begun, "it may run for ever"
                assert head.timer or head.overdue
            assert engine.load == len(model.active)
            model.paused = [msg_id for msg_id in model.paused if msg_id in model.held]
            self.check_resources(engine, model)
            has_room = len(model.active) < self.limit(uuid)
            if has_room and model.asked is None and not model.condemned and model.reachable:
                task = self.next_for(uuid)
                if task is not None and not self.is_kept(task, uuid):
                    raise AssertionError(f"{uuid} has room, and {task.job} waits")
        for msg_id in open_tasks:
            task = self.tasks[msg_id]
            if task.waits:
                assert task.job.phase in (JobPhase.WAITING, JobPhase.BLOCKED)
                assert self.could_run(task) or self.hopes(task), f"{task.job} {task.terms}"
        # each request to cancel is answered as soon as the engines have answered
        if not self.asked_to_cancel:
            assert None not in self.requests.values()

    def hopes(self, task):
        """It needs what no engine has yet: there was none, or a new one comes."""
        if task.terms.targets:
            return False
        return bool(task.terms.resources) or self.machine.patience(self.now) is not None

    def check_resources(self, engine, model):
        for name, amount in engine.resources.items():
            taken = sum(dict(self.tasks[i].terms.resources).get(name, 0) for i in model.active)
            assert engine.free[name] == amount - taken

    def play_to_the_end(self):
        """When all engines answer everything, every task has ended, and nothing is left."""
        while self.machine.jobs:
            before = len(self.machine.jobs), self.sent
            for uuid in sorted(self.engines):
                self.back(uuid)
                self.reach(uuid)
                while self.engines[uuid].paused:
                    self.resume(uuid)
                if self.engines[uuid].asked is not None:
                    self.give_back(uuid, 0)
                if self.engines[uuid].to_cancel:
                    self.answer_cancel(uuid)
                if self.engines[uuid].condemned:
                    self.leave(uuid)
                elif self.engines[uuid].held:
                    self.finish(uuid)
            self.check()
            if before == (len(self.machine.jobs), self.sent):
                self.join({"gpu": 2, "mem": 4, "x": 1})
        assert all(len(task.ends) == 1 for task in self.tasks.values())
        assert None not in self.requests.values()
        for uuid in list(self.engines):
            self.leave(uuid)
        assert self.machine.take() == []
        machine = self.machine
        assert machine._owners == machine._graph._waiting_for == {}
        assert list(machine._board._lines.values()) == [machine._board._common]
        assert machine._board._common.length == 0
