"""The task machine: takes events, keeps the books, gives commands.

It has no sockets, no threads and no clock: time comes in with the events, and what is to be done
comes out as commands (`take`). A job is in one place at a time: it waits for other tasks (in the
`Graph`), for an engine (on the `Board`), or is on an engine.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable, Mapping
from enum import Enum
from typing import Any

from ..error import engine_died
from . import prefetch, reasons
from .board import Board
from .cancelling import FINISHED, QUEUED, RUNNING, WAITING, Cancellations
from .commands import Abort, Cancel, Command, Deliver, Dispatch, Fail, Recall, Replace
from .graph import Graph, Unmeetable
from .outcomes import Outcome, Outcomes
from .policies.protocol import Policy
from .state import Engine, Job, Owner, Phase
from .timers import Timers

#: Seconds after which a task counts as long, so that those behind it are asked back.
LONG = 0.05

#: Seconds that a task which has run too long has to obey, before its engine is replaced.
GRACE = 2.0


class Verdict(Enum):
    """What an engine's reply says of the task."""

    OK = "ok"
    FAILED = "failed"
    #: It failed, and another try would be of no use.
    FAILED_FOR_GOOD = "failed for good"
    #: It was asked to, and has broken the task off, or not begun it.
    ABORTED = "aborted"
    #: The engine lacks what the task requires; the task has not begun.
    UNMET = "unmet"


class TaskMachine:
    """Decides where and when tasks run, and how they end.

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
        #: All jobs that have not ended, by message id.
        self.jobs: dict[str, Job] = {}
        self._board = Board(policy)
        self.engines = self._board.engines
        self._outcomes = Outcomes()
        self._graph = Graph(self._outcomes, self.jobs.__contains__, self._board.place_of)
        self._timers = Timers()
        self._cancellations = Cancellations()
        self._owners: dict[str, Owner] = {}
        self._sequence = 0
        self._sent = 0
        #: How many of the jobs on engines may not wait, or run, for ever.
        self._timed = 0
        self._commands: list[Command] = []
        #: Ends whose consequences are still to be drawn; not by recursion: chains may be long.
        self._ends: deque[tuple[str, Outcome]] = deque()

    def take(self) -> list[Command]:
        """The commands since the last call."""
        commands = self._commands
        self._commands = []
        return commands

    @property
    def waiting(self) -> int:
        """How many jobs are on no engine."""
        return len(self.jobs) - sum(len(engine.running) for engine in self.engines.values())

    # ---- engines come and go

    def engine_joined(
        self, uuid: str, engine_id: int, now: float, resources: Mapping[str, float] | None = None
    ) -> None:
        """An engine is ready for work."""
        if uuid in self.engines:
            raise ValueError(f"engine {uuid} has joined already")
        limit = 1 if self.hwm == "auto" else self.hwm or math.inf
        engine = Engine(uuid, engine_id, float(limit), resources)
        self._board.join(engine)
        self._feed(engine, now)

    def engine_left(self, uuid: str, reason: str, now: float) -> None:
        """An engine is gone; what it held is tried again, or its client told so, and why."""
        left = self._board.leave(uuid)
        if left is None:
            return
        engine, stranded = left
        begun = {engine.head, *engine.paused}
        again: list[Job] = []
        for job in list(engine.running.values()):
            self._take_off(job)
            was_queued = engine.condemned and job not in begun
            if job.cancelled:
                self._note_cancelled(job, QUEUED if was_queued else RUNNING)
            if was_queued:
                # It was us who killed it, since its first task did not end.
                if job.cancelled:
                    self._abort(job)
                else:
                    again.append(job)
            elif not self._try_again(job, engine, retryable=True, again=again):
                error = engine_died(engine.id, job.msg_id, reason)
                self._fail(job, reasons.ran_too_long(job) if job.overdue else error, engine)
        self._admit(sorted([*again, *stranded], key=_by_sequence), now)

    def not_sent(self, uuid: str, msg_id: str, now: float) -> None:
        """A job could not be sent to its engine, which cannot be reached, and is about to leave."""
        engine = self.engines[uuid]
        engine.lost = True
        job = engine.running[msg_id]
        self._take_off(job)
        self._board.changed(engine)
        self._admit((job,), now)

    # ---- clients

    def submitted(self, job: Job, now: float) -> None:
        """A client submitted a job."""
        if job.msg_id in self.jobs:
            raise ValueError(f"task {job.msg_id} was submitted already")
        self._sequence += 1
        job.sequence = self._sequence
        owner = self._owners.get(job.owner_name)
        if owner is None:
            owner = self._owners[job.owner_name] = Owner(job.owner_name)
        owner.jobs += 1
        job.owner = owner
        self.jobs[job.msg_id] = job
        terms = job.terms
        if not (terms.targets or terms.resources or terms.after or terms.follow):
            # of most jobs; the shortest way to where the long one leads
            engine = self._board.engine_for_any()
            if engine is not None:
                self._dispatch(engine, job, now)
                return
            if terms.timeout:
                self._timers.set(job, now + terms.timeout)
            self._board.wait(job)
            return
        self._admit((job,), now)

    def cancel(self, msg_ids: Iterable[str], request: Any, now: float) -> None:
        """A client does not want these tasks any more.

        Parameters
        ----------
        request : object
            Comes back with the `Answer`.
        """
        known: dict[str, str] = {}
        asked: dict[Engine, list[Job]] = {}
        freed: list[Engine] = []
        for msg_id in dict.fromkeys(msg_ids):
            job = self.jobs.get(msg_id)
            if job is None:
                known[msg_id] = FINISHED
            elif job.engine is not None:
                job.cancelled = True
                asked.setdefault(job.engine, []).append(job)
            else:
                known[msg_id] = WAITING
                freed += self._board.discard(job)
                self._abort(job)
        ids = [job.msg_id for jobs in asked.values() for job in jobs]
        answer = self._cancellations.begin(request, known, ids)
        if answer is not None:
            self._commands.append(answer)
        for engine, jobs in asked.items():
            self._commands.append(Cancel(engine, tuple(jobs)))
        self._feed_all(freed, now)
        self._draw_consequences(now)

    # ---- engines answer

    def finished(
        self,
        uuid: str,
        msg_id: str,
        seconds: float,
        reply: Any,
        now: float,
        verdict: Verdict = Verdict.OK,
        what: str = "",
    ) -> None:
        """An engine has answered.

        Parameters
        ----------
        reply : object
            Comes back with the command to deliver it.
        seconds : float
            How long the task ran on the engine, by the engine's clock; negative if it did not say.
        what : str
            What the engine lacks, if it lacks something.
        """
        job = self.jobs.get(msg_id)
        if job is None or job.engine is None or job.engine.uuid != uuid:
            return  # it had been given up for dead
        engine = job.engine
        if self.hwm == "auto" and seconds >= 0:
            prefetch.observe(engine, seconds)
            engine.limit = prefetch.limit(engine)
        engine.completed += 1
        self._take_off(job)
        if verdict is Verdict.OK:
            self._end(job, True, engine)
            self._commands.append(Deliver(job, reply))
        else:
            self._failed(job, engine, reply, verdict, what, now)
        if self._ends:
            self._draw_consequences(now)
        if job.cancelled:
            # before the engine's answer to that
            self._note_cancelled(job, RUNNING if verdict is Verdict.ABORTED else FINISHED)
        self._feed(engine, now)

    def _failed(
        self, job: Job, engine: Engine, reply: Any, verdict: Verdict, what: str, now: float
    ) -> None:
        again: list[Job] = []
        if verdict is Verdict.UNMET and not job.cancelled and not job.overdue:
            job.unmet |= {engine.uuid}
            if self._board.could_run(job):
                again.append(job)
            else:
                self._fail(job, reasons.unmet_everywhere(job, what))
        elif not self._try_again(job, engine, verdict is Verdict.FAILED or job.overdue, again):
            if job.overdue:
                self._fail(job, reasons.ran_too_long(job), engine)
            else:
                self._end(job, False, engine)
                self._commands.append(Deliver(job, reply))
        if again:
            self._admit(again, now)

    def returned(self, uuid: str, sendings: Iterable[str], now: float) -> None:
        """An engine has answered a Recall: it will not run these jobs, each as it was sent."""
        engine = self.engines.get(uuid)
        if engine is None:
            return
        engine.recalling = False
        jobs = [job for sending in sendings if (job := engine.held(sending))]
        if self.hwm == "auto":
            # what held them up is long; it gets no company until it has ended
            engine.duration = max(engine.duration, LONG)
            engine.limit = prefetch.limit(engine)
        again = []
        for job in jobs:
            self._take_off(job)
            if job.cancelled:
                self._note_cancelled(job, QUEUED)
                self._abort(job)
            elif job.expired:
                self._fail(job, reasons.waited_too_long(job))
            else:
                again.append(job)
        self._board.changed(engine)
        self._admit(again, now)
        self._feed(engine, now)

    def cancelled(self, uuid: str, outcomes: Mapping[str, str], now: float) -> None:
        """An engine has answered a Cancel: where these jobs, each as it was sent, were. It will
        not run those that were queued.
        """
        engine = self.engines.get(uuid)
        if engine is None:
            return
        for sending, outcome in outcomes.items():
            job = engine.held(sending)
            if job is None:
                continue  # it has ended meanwhile, or came back otherwise
            if outcome == QUEUED:
                self._take_off(job)
                if job.cancelled:
                    self._abort(job)
                else:
                    # it seemed to run too long, and had not begun: the engine does something else
                    job.overdue = False
                    job.avoided |= {uuid}
                    self._admit((job,), now)
            # one that has finished is about to say so
            self._commands += self._cancellations.note(job.msg_id, outcome)
        self._draw_consequences(now)
        self._feed(engine, now)

    def paused(self, uuid: str, msg_id: str, now: float) -> None:
        """What an engine runs waits for tasks that it has submitted: it may run others."""
        engine = self.engines.get(uuid)
        job = engine.running.get(msg_id) if engine is not None else None
        if engine is None or job is None or job in engine.paused:
            return
        engine.paused.add(job)
        engine.occupy(job.terms.resources, -1)
        self._feed(engine, now)

    def resumed(self, uuid: str, msg_id: str) -> None:
        """What waited for other tasks goes on."""
        engine = self.engines.get(uuid)
        job = engine.running.get(msg_id) if engine is not None else None
        if engine is None or job is None or job not in engine.paused:
            return
        engine.paused.discard(job)
        engine.occupy(job.terms.resources)
        self._board.changed(engine)

    # ---- time

    def patience(self, now: float) -> float | None:
        """Seconds after which to call `tick` though nothing has happened; None: for ever."""
        deadlines = (self._timers.next(), self._board.next_deadline)
        deadline = min((d for d in deadlines if d is not None), default=None)
        until = None if deadline is None else max(0.0, deadline - now)
        if self.hwm == "auto" and any(e.load > 1 for e in self.engines.values()):
            return LONG if until is None else min(LONG, until)
        return until

    def tick(self, now: float) -> None:
        """Some time has passed: see what is overdue, and what waits behind a long task."""
        freed: list[Engine] = []
        for job in self._timers.pop_due(now):
            if job.engine is not None and job.begun:
                self._ran_too_long(job, job.engine, now)
            elif job.engine is not None:
                self._expire(job, job.engine, now)
            else:
                freed += self._board.discard(job)
                self._fail(job, reasons.waited_too_long(job))
        self._feed_all(freed, now)
        self._admit(self._board.give_up(now), now)
        self._recall(now)

    def _recall(self, now: float) -> None:
        """An engine that was trusted to be quick may get a long task all the same. Once it shows,
        what waits behind it is asked back, if another engine is idle.
        """
        if self.hwm != "auto" or not any(e.load == 0 for e in self.engines.values()):
            return
        for engine in self.engines.values():
            if engine.load < 2 or engine.recalling:
                continue
            first, *behind = (j for j in engine.running.values() if j not in engine.paused)
            if now - first.sent_at >= LONG:
                self._ask_back(engine, behind)

    def _ask_back(self, engine: Engine, jobs: list[Job]) -> None:
        engine.recalling = True
        self._board.changed(engine)
        self._commands.append(Recall(engine, tuple(jobs)))

    def _expire(self, job: Job, engine: Engine, now: float) -> None:
        """A job has waited too long, on its engine: if it has not begun, it is not to."""
        job.expired = True
        if engine.recalling:
            self._timers.set(job, now + LONG)
        else:
            self._ask_back(engine, [j for j in engine.running.values() if j.expired])

    def _ran_too_long(self, job: Job, engine: Engine, now: float) -> None:
        if not job.overdue:
            job.overdue = True
            self._commands.append(Cancel(engine, (job,)))
            self._timers.set(job, now + GRACE)
        elif _is_beneath_others(job, engine):
            self._timers.set(job, now + GRACE)
        else:
            engine.condemned = True
            self._board.changed(engine)
            self._board.expect(engine, now)
            self._commands.append(Replace(engine, str(reasons.ran_too_long(job))))

    def _watch(self, engine: Engine, now: float) -> None:
        """The engine may have begun with another job: it waits no more, and its time counts."""
        head = engine.head
        if head is None or head.begun:
            return
        head.begun = True
        head.deadline = 0.0
        if head.terms.time_limit:
            self._timers.set(head, now + head.terms.time_limit)

    # ---- where jobs go

    def _admit(self, jobs: Iterable[Job], now: float) -> None:
        """Have jobs that are nowhere wait for what they need; some may run at once."""
        for job in jobs:
            job.phase = Phase.WAITING
            job.allowed = job.terms.targets  # before it is known, or anew, what it follows
            if not self._board.could_run(job):
                self._fail(job, reasons.no_engine(job, self.engines))
                continue
            try:
                blocked = self._depends(job) and self._graph.add(job)
            except Unmeetable as e:
                self._fail(job, e.error)
                continue
            if job.terms.timeout and not job.deadline:
                self._timers.set(job, now + job.terms.timeout)
            if blocked:
                job.phase = Phase.BLOCKED
            else:
                self._stand(job, now)
        self._draw_consequences(now)

    def _depends(self, job: Job) -> bool:
        # Of one that has been sent, what it came after has come to pass; but where that ran which
        # it follows is looked up again, since engines may have gone.
        return bool(job.terms.follow or (job.terms.after and not job.attempt))

    def _stand(self, job: Job, now: float) -> None:
        """Have a job wait for an engine; it runs at once if there is one."""
        job.phase = Phase.WAITING
        if not self._board.could_run(job):
            self._fail(job, reasons.no_engine(job, self.engines))
            return
        line = self._board.wait(job)
        for engine in self._board.engines_for(line):
            self._feed(engine, now)
            if job.phase is not Phase.WAITING:
                return

    def _feed(self, engine: Engine, now: float) -> None:
        """Give an engine that has room what is to run next, and others what that kept from them."""
        engines = {engine: None}
        while engines:
            engine, _ = engines.popitem()
            self._board.changed(engine)
            while not engine.full and (job := self._board.next_for(engine)) is not None:
                self._dispatch(engine, job, now)
                if job.terms.resources:
                    engines.update(dict.fromkeys(self._board.kept_by(job)))
            if self._timed:
                self._watch(engine, now)

    def _feed_all(self, engines: Iterable[Engine], now: float) -> None:
        for engine in dict.fromkeys(engines):
            self._feed(engine, now)

    def _dispatch(self, engine: Engine, job: Job, now: float) -> None:
        if job.phase is not Phase.WAITING or job.engine is not None:
            raise RuntimeError(f"{job} cannot be sent")
        assert job.owner is not None
        if job.waits is not None:
            self._graph.discard(job)
        self._sent += 1
        job.owner.turn = self._sent
        job.phase = Phase.SENT
        job.engine = engine
        job.attempt += 1
        job.sent_at = now
        engine.running[job.msg_id] = job
        terms = job.terms
        if terms.resources:
            engine.occupy(terms.resources)
        if terms.time_limit or terms.timeout:
            self._timed += 1
            if terms.timeout and not job.deadline:
                self._timers.set(job, now + terms.timeout)
            self._watch(engine, now)
        self._board.changed(engine)
        self._commands.append(Dispatch(engine, job))

    def _take_off(self, job: Job) -> None:
        """A job is not on its engine any more."""
        engine = job.engine
        assert engine is not None
        del engine.running[job.msg_id]
        if job in engine.paused:
            engine.paused.discard(job)
        elif job.terms.resources:
            engine.occupy(job.terms.resources, -1)
        if job.terms.time_limit or job.terms.timeout:
            self._timed -= 1
        job.begun = False
        job.engine = None
        job.deadline = 0.0

    # ---- how jobs end

    def _try_again(self, job: Job, engine: Engine, retryable: bool, again: list[Job]) -> bool:
        """Whether a job that has failed is to be tried again; it is in `again` then."""
        if not job.retries or not retryable or job.cancelled:
            return False
        job.retries -= 1
        job.overdue = job.expired = False
        job.avoided |= {engine.uuid}
        again.append(job)
        return True

    def _fail(self, job: Job, error: Exception, engine: Engine | None = None) -> None:
        self._end(job, False, engine)
        self._commands.append(Fail(job, error, engine))

    def _abort(self, job: Job) -> None:
        self._end(job, False)
        self._commands.append(Abort(job))

    def _note_cancelled(self, job: Job, outcome: str) -> None:
        self._commands += self._cancellations.note(job.msg_id, outcome)

    def _end(self, job: Job, ok: bool, engine: Engine | None = None) -> None:
        if job.phase is Phase.ENDED or job.engine is not None:
            raise RuntimeError(f"{job} cannot end")
        if job.waits is not None:
            self._graph.discard(job)
        job.phase = Phase.ENDED
        job.deadline = 0.0
        del self.jobs[job.msg_id]
        owner = job.owner
        assert owner is not None
        owner.jobs -= 1
        if not owner.jobs:
            del self._owners[owner.name]
        number = engine.number if engine is not None else 0
        self._outcomes.put(job.msg_id, ok, number)
        if self._graph.concerns(job.msg_id):
            self._ends.append((job.msg_id, Outcome(ok, number)))

    def _draw_consequences(self, now: float) -> None:
        while self._ends:
            msg_id, outcome = self._ends.popleft()
            for job, error in self._graph.ended(msg_id, outcome):
                if error is not None:
                    self._fail(job, error)
                else:
                    freed = self._board.discard(job)
                    self._stand(job, now)
                    self._feed_all(freed, now)


def _is_beneath_others(job: Job, engine: Engine) -> bool:
    """Whether a job that waits cannot obey as long as another client's job runs on top of it."""
    begun = [*engine.paused, engine.head or job]
    return job in engine.paused and any(other.owner is not job.owner for other in begun)


def _by_sequence(job: Job) -> int:
    return job.sequence
