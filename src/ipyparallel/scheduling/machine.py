"""The task machine: takes events, keeps the books, gives commands.

It has no sockets, no threads and no clock: time comes in with the events, and what is to be done
comes out as commands (`take`). A job is in one place at a time: in the common queue, in the queues
of the engines it is restricted to, or on one engine.
"""

from __future__ import annotations

import math
from collections import OrderedDict, deque
from collections.abc import Iterable
from typing import Any

from ..error import ImpossibleDependency, engine_died
from . import prefetch
from .commands import Command, Deliver, Dispatch, Fail, Recall
from .policies.protocol import Policy
from .state import Engine, Job, Phase

#: Seconds after which a task counts as long, so that those behind it are asked back.
LONG = 0.05


class TaskMachine:
    """Decides where tasks run.

    Parameters
    ----------
    policy : Policy
        Picks among the engines that are not full.
    hwm : int or 'auto'
        Most tasks an engine may hold; 0 for any number; ``'auto'`` decides by how long its recent
        tasks took.
    """

    def __init__(self, policy: Policy, hwm: int | str = "auto") -> None:
        if hwm != "auto" and (not isinstance(hwm, int) or hwm < 0):
            raise ValueError(f"hwm must be 'auto', 0 (no limit) or a positive number, not {hwm!r}")
        self.hwm = hwm
        self.engines: dict[str, Engine] = {}
        #: All jobs that have not ended, by message id.
        self.jobs: dict[str, Job] = {}
        self._policy = policy
        self._queue: deque[Job] = deque()
        self._sequence = 0
        self._commands: list[Command] = []

    def take(self) -> list[Command]:
        """The commands since the last call."""
        commands = self._commands
        self._commands = []
        return commands

    @property
    def waiting(self) -> int:
        """How many jobs are on no engine."""
        return len(self.jobs) - sum(engine.load for engine in self.engines.values())

    # ---- events

    def engine_joined(self, uuid: str, engine_id: int, now: float) -> None:
        """An engine is ready for work."""
        if uuid in self.engines:
            raise ValueError(f"engine {uuid} has joined already")
        limit = 1 if self.hwm == "auto" else self.hwm or math.inf
        engine = self.engines[uuid] = Engine(uuid, engine_id, float(limit))
        self._policy.add(engine)
        for job in self.jobs.values():  # in the order in which they were submitted
            if uuid in job.targets and job.phase is Phase.WAITING:
                engine.waiting[job.msg_id] = job
        self._feed(engine, now)

    def engine_left(self, uuid: str, reason: str) -> None:
        """An engine is gone; the clients of what it held are told so, and why."""
        engine = self.engines.pop(uuid, None)
        if engine is None:
            return
        self._policy.remove(engine)
        for job in list(engine.running.values()):
            self._end(job)
            self._commands.append(Fail(job, engine_died(engine.id, job.msg_id, reason)))
        for job in engine.waiting.values():
            if not self._targets(job):
                self._end(job)
                self._commands.append(Fail(job, _no_target_left(job)))

    def submitted(self, job: Job, now: float) -> None:
        """A client submitted a job."""
        if job.msg_id in self.jobs:
            raise ValueError(f"task {job.msg_id} was submitted already")
        self._sequence += 1
        job.sequence = self._sequence
        self.jobs[job.msg_id] = job
        if job.targets:
            self._submit_restricted(job, now)
        elif self._queue or (engine := self._policy.pick()) is None:
            self._queue.append(job)
        else:
            self._dispatch(engine, job, now)

    def finished(self, uuid: str, msg_id: str, seconds: float, reply: Any, now: float) -> None:
        """An engine has answered.

        Parameters
        ----------
        reply : object
            Comes back with the command to deliver it.
        seconds : float
            How long the task ran on the engine, by the engine's clock; negative if it did not say.
        """
        job = self.jobs.get(msg_id)
        if job is None or job.engine is None or job.engine.uuid != uuid:
            return  # it had been given up for dead
        engine = job.engine
        if self.hwm == "auto" and seconds >= 0:
            prefetch.observe(engine, seconds)
            engine.limit = prefetch.limit(engine)
        engine.completed += 1
        self._end(job)
        self._commands.append(Deliver(job, reply))
        self._feed(engine, now)

    def returned(self, uuid: str, msg_ids: Iterable[str], now: float) -> None:
        """An engine has answered a Recall: it will not run these jobs."""
        engine = self.engines.get(uuid)
        if engine is None:
            return
        engine.recalling = False
        jobs = [job for msg_id in msg_ids if (job := engine.running.pop(msg_id, None))]
        # what held them up is long; it gets no company until it has ended
        engine.duration = max(engine.duration, LONG)
        engine.limit = prefetch.limit(engine)
        self._policy.update(engine)
        self._put_back(jobs)
        for other in list(self.engines.values()):
            self._feed(other, now)

    def tick(self, now: float) -> None:
        """Some time has passed: see whether short tasks wait behind a long one.

        An engine that was trusted to be quick may get a long task all the same. Once it shows,
        what waits behind it is asked back, if another engine is idle.
        """
        if self.hwm != "auto" or not any(not e.running for e in self.engines.values()):
            return
        for engine in self.engines.values():
            if len(engine.running) < 2 or engine.recalling:
                continue
            first, *behind = engine.running.values()
            if now - first.sent_at >= LONG:
                engine.recalling = True
                self._policy.update(engine)
                self._commands.append(Recall(engine, tuple(behind)))

    @property
    def needs_tick(self) -> bool:
        """Whether an engine holds more than one task, so that time matters."""
        return self.hwm == "auto" and any(len(e.running) > 1 for e in self.engines.values())

    # ---- the books

    def _submit_restricted(self, job: Job, now: float) -> None:
        targets = self._targets(job)
        if not targets:
            self._end(job)
            self._commands.append(Fail(job, _no_target_left(job)))
            return
        # an earlier job that waits for one of the engines has the better claim to it
        free = [e for e in targets if not e.waiting]
        engine = self._policy.pick_among(free)
        if engine is not None:
            self._dispatch(engine, job, now)
            return
        for target in targets:
            target.waiting[job.msg_id] = job

    def _targets(self, job: Job) -> list[Engine]:
        return [self.engines[uuid] for uuid in job.targets if uuid in self.engines]

    def _put_back(self, jobs: list[Job]) -> None:
        """Have jobs wait again, each at its place in the order of submission."""
        for job in jobs:
            job.phase = Phase.WAITING
            job.engine = None
        free = [job for job in jobs if not job.targets]
        if free:
            self._queue = deque(_in_order([*free, *self._queue]))
        for engine in self.engines.values():
            mine = [job for job in jobs if engine.uuid in job.targets]
            if mine:
                line = _in_order([*mine, *engine.waiting.values()])
                engine.waiting = OrderedDict((job.msg_id, job) for job in line)

    def _feed(self, engine: Engine, now: float) -> None:
        """Give an engine that has room what waits for it longest."""
        self._policy.update(engine)
        while not engine.full:
            job = next(iter(engine.waiting.values()), None)
            if self._queue and (job is None or self._queue[0].sequence < job.sequence):
                job = self._queue.popleft()
            if job is None:
                return
            self._dispatch(engine, job, now)

    def _dispatch(self, engine: Engine, job: Job, now: float) -> None:
        if job.phase is not Phase.WAITING:
            raise RuntimeError(f"{job} cannot be sent")
        for target in self._targets(job):
            target.waiting.pop(job.msg_id, None)
        job.phase = Phase.SENT
        job.engine = engine
        job.attempt += 1
        job.sent_at = now
        engine.running[job.msg_id] = job
        self._policy.update(engine)
        self._commands.append(Dispatch(engine, job))

    def _end(self, job: Job) -> None:
        if job.phase is Phase.ENDED:
            raise RuntimeError(f"{job} has ended before")
        job.phase = Phase.ENDED
        if job.engine is not None:
            job.engine.running.pop(job.msg_id, None)
        del self.jobs[job.msg_id]


def _in_order(jobs: list[Job]) -> list[Job]:
    return sorted(jobs, key=lambda job: job.sequence)


def _no_target_left(job: Job) -> ImpossibleDependency:
    return ImpossibleDependency(
        f"none of the engines that task {job.msg_id} is restricted to is there (any more):"
        f" {', '.join(sorted(job.targets))}"
    )
