"""The task machine: takes events, keeps the books, gives commands.

It has no sockets, no threads and no clock: time comes in with the events, and what is to be done
comes out as commands (`take`). Here is what follows from each event; how jobs move is in `books`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from enum import Enum
from typing import Any

from ..error import engine_died
from . import prefetch, reasons
from .cancelling import FINISHED, QUEUED, RUNNING, SPARED, WAITING
from .commands import Cancel, Deliver, Recall, Replace
from .policies.protocol import Policy
from .returns import Returns
from .state import Engine, Job

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


class TaskMachine(Returns):
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
        super().__init__(policy)
        self.hwm = hwm

    # ---- engines come and go

    def engine_joined(
        self,
        uuid: str,
        engine_id: int,
        now: float,
        resources: Mapping[str, float] | None = None,
        holding: Iterable[str] = (),
        answered: Iterable[str] = (),
    ) -> None:
        """An engine is ready for work.

        Parameters
        ----------
        holding : iterable of str
            What it has, if it comes back; see `holds`.
        answered : iterable of str
            What it has answered last, and will answer again: of what was sent to it by somebody
            else before, the first answers may be lost.
        """
        if uuid in self.engines:
            raise ValueError(f"engine {uuid} has joined already")
        limit = 1 if self.hwm == "auto" else self.hwm or math.inf
        engine = Engine(uuid, engine_id, float(limit), resources)
        unserved = self._board.join(engine, now)
        self._adopt(engine, holding, now)
        self._adopt(engine, self._unknown_ends(answered), now)
        self._feed(engine, now)
        self._admit(unserved, now)
        self._settle(now)

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
        self._settle(now)

    def not_sent(self, uuid: str, msg_id: str, now: float) -> None:
        """A job could not be sent to its engine, which cannot be reached; it may come back, or is
        about to leave.
        """
        engine = self.engines[uuid]
        engine.lost = True
        job = engine.running[msg_id]
        self._take_off(job)
        self._board.changed(engine)
        self._admit((job,), now)

    # ---- clients

    def submitted(self, job: Job, now: float) -> None:
        """A client submitted a job."""
        self._enter(job)
        terms = job.terms
        if terms.after or terms.follow:
            self._block(job, now)
        elif terms.targets or terms.resources:
            self._stand(job, now)
        else:
            # of most jobs; the shortest way to where the long one leads
            engine = self._board.engine_for_any()
            if engine is not None:
                self._dispatch(engine, job, now)
            else:
                self._bound_waiting(job, now)
                self._board.wait(job)
        if self._ends:
            self._draw_consequences(now)
        if self._board.keeping:
            self._settle(now)

    def cancel(
        self, msg_ids: Iterable[str], request: Any, now: float, interrupt: bool = True
    ) -> None:
        """A client does not want these tasks any more.

        Parameters
        ----------
        request : object
            Comes back with the `Answer`.
        interrupt : bool
            Whether those that run are to be interrupted.
        """
        known: dict[str, str] = {}
        asked: dict[Engine, list[Job]] = {}
        for msg_id in dict.fromkeys(msg_ids):
            job = self.jobs.get(msg_id)
            if job is None:
                known[msg_id] = FINISHED
            elif job.engine is not None:
                job.cancelled = True
                job.insisted |= interrupt
                asked.setdefault(job.engine, []).append(job)
            else:
                known[msg_id] = WAITING
                self._board.discard(job)
                self._abort(job)
        ids = [job.msg_id for jobs in asked.values() for job in jobs]
        answer = self._cancellations.begin(request, known, ids)
        if answer is not None:
            self._commands.append(answer)
        for engine, jobs in asked.items():
            self._commands.append(Cancel(engine, tuple(jobs), interrupt))
        self._draw_consequences(now)
        self._settle(now)

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
        if self._board.keeping:
            self._settle(now)

    def _failed(
        self, job: Job, engine: Engine, reply: Any, verdict: Verdict, what: str, now: float
    ) -> None:
        again: list[Job] = []
        if verdict is Verdict.UNMET and not job.cancelled and not job.overdue:
            job.unmet |= {engine.uuid}
            job.lacks = what
            if self._board.could_run(job):
                again.append(job)
            else:
                self._fail(job, reasons.unmet_everywhere(job))
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
        if self.hwm == "auto":
            # what held them up is long; it gets no company until it has ended
            engine.duration = max(engine.duration, LONG)
            engine.limit = prefetch.limit(engine)
        self._not_begun(engine, sendings, now)

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
                    job.avoided |= {uuid}
                    self._admit((job,), now)
            elif outcome == SPARED:
                job.cancelled = job.insisted
            # one that has finished is about to say so
            self._note_cancelled(job, outcome)
        self._draw_consequences(now)
        self._feed(engine, now)
        self._settle(now)

    def paused(self, uuid: str, msg_id: str, now: float) -> None:
        """What an engine runs waits for tasks that it has submitted: it may run others."""
        engine = self.engines.get(uuid)
        job = engine.running.get(msg_id) if engine is not None else None
        if engine is None or job is None or job in engine.paused:
            return
        engine.paused.add(job)
        engine.occupy(job.terms.resources, -1)
        self._feed(engine, now)
        self._settle(now)

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
        if self.hwm == "auto" and self._board.crowded:
            return LONG if until is None else min(LONG, until)
        return until

    def tick(self, now: float) -> None:
        """Some time has passed: see what is overdue, and what waits behind a long task."""
        due = self._timers.pop_due(now)
        for job in due:
            job.expired = not job.begun
        for job in due:
            if job.engine is not None and job.begun:
                self._ran_too_long(job, job.engine, now)
            elif job.engine is not None:
                self._expire(job, job.engine, now)
            else:
                self._board.discard(job)
                self._fail(job, reasons.waited_too_long(job))
        unserved, refusing = self._board.give_up(now)
        self._admit(unserved, now)
        for engine in refusing:
            self._feed(engine, now)
        self._settle(now)
        self._recall(now)

    def _recall(self, now: float) -> None:
        """An engine that was trusted to be quick may get a long task all the same. Once it shows,
        what waits behind it is asked back, if another engine is idle.
        """
        if self.hwm != "auto" or not self._board.crowded:
            return
        held_up = []
        for engine in self._board.crowded:
            if not engine.recalling:
                first, *behind = (j for j in engine.running.values() if j not in engine.paused)
                if now - first.sent_at >= LONG:
                    held_up.append((engine, behind))
        if held_up and any(e.load == 0 and not e.full for e in self.engines.values()):
            for engine, behind in held_up:
                self._ask_back(engine, behind)

    def _ask_back(self, engine: Engine, jobs: list[Job]) -> None:
        engine.recalling = True
        self._board.changed(engine)
        self._commands.append(Recall(engine, tuple(jobs)))

    def _expire(self, job: Job, engine: Engine, now: float) -> None:
        """A job has waited too long, on its engine: if it has not begun, it is not to."""
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
            self._board.expect(engine, now)
            self._commands.append(Replace(engine, str(reasons.ran_too_long(job))))


def _is_beneath_others(job: Job, engine: Engine) -> bool:
    """Whether a job that waits cannot obey as long as another client's job runs on top of it."""
    begun = [*engine.paused, engine.head or job]
    return job in engine.paused and any(other.owner is not job.owner for other in begun)


def _by_sequence(job: Job) -> int:
    return job.sequence
