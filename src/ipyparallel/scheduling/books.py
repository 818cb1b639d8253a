"""The books of the task machine: where each job is, and the ways from one place to another.

A job is in one place at a time: it waits for other tasks (in the `Graph`), for an engine (on the
`Board`), or is on an engine.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

from . import reasons
from .board import Board
from .cancelling import QUEUED, Cancellations
from .commands import Abort, Command, Dispatch, Fail
from .graph import Graph, Unmeetable
from .outcomes import Outcome, Outcomes
from .policies.protocol import Policy
from .state import Engine, Job, Owner, Phase
from .timers import Timers


class Books:
    """Where each job is.

    Parameters
    ----------
    policy : Policy
        Picks among the engines that are not full.
    """

    def __init__(self, policy: Policy) -> None:
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

    # ---- where jobs go

    def _enter(self, job: Job) -> None:
        """A job is new."""
        if job.msg_id in self.jobs:
            raise ValueError(f"task {job.msg_id} was submitted already")
        self._sequence += 1
        job.sequence = self._sequence
        owner = self._owners.get(job.owner_name)
        if owner is None:
            # Behind those who are there, but for the one served last: of many who come and go each
            # is new when it comes, and those who stay would never have a turn.
            owner = self._owners[job.owner_name] = Owner(job.owner_name, self._sent - 1)
        owner.jobs += 1
        job.owner = owner
        self.jobs[job.msg_id] = job

    def _block(self, job: Job, now: float) -> None:
        """Have a job wait for the tasks on which it depends, if they have not ended."""
        job.phase = Phase.WAITING
        job.allowed = job.terms.targets  # before it is known, or anew, what it follows
        if not self._board.could_run(job):
            self._fail(job, reasons.no_engine(job, self.engines))
            return
        try:
            blocked = self._graph.add(job)
        except Unmeetable as e:
            self._fail(job, e.error)
            return
        if not blocked:
            self._stand(job, now)
            return
        job.phase = Phase.BLOCKED
        self._bound_waiting(job, now)

    def _admit(self, jobs: Iterable[Job], now: float) -> None:
        """Have jobs that were at an engine, or waited for one, wait for one again."""
        for job in jobs:
            job.overdue = job.expired = False
            if job.adopted:
                self._fail(job, reasons.cannot_be_sent(job))
            elif job.terms.follow:
                # where those ran that it follows is looked up again, since engines may have gone
                self._block(job, now)
            else:
                self._stand(job, now)
        self._draw_consequences(now)

    def _stand(self, job: Job, now: float) -> None:
        """Have a job wait for an engine; it runs at once if there is one."""
        job.phase = Phase.WAITING
        if not self._board.could_run(job):
            self._fail(job, reasons.no_engine(job, self.engines))
            return
        self._bound_waiting(job, now)
        line = self._board.wait(job)
        for engine in self._board.engines_for(line, job):
            self._feed(engine, now)
            if job.phase is not Phase.WAITING:
                return

    def _bound_waiting(self, job: Job, now: float) -> None:
        """Count the time that a job waits, if it is bounded and is not counted yet."""
        if job.terms.timeout and not job.timer:
            self._timers.set(job, now + job.terms.timeout)

    def _feed(self, engine: Engine, now: float) -> None:
        """Give an engine that has room what is to run next."""
        self._board.changed(engine)
        while not engine.full and (job := self._board.next_for(engine)) is not None:
            self._dispatch(engine, job, now)
        if self._timed:
            self._watch(engine, now)

    def _settle(self, now: float) -> None:
        """Something may have happened to a job for which engines keep what they have: others may
        get it now.
        """
        while keeping := self._board.keeping:
            sent = self._sent
            engines = list(keeping)
            keeping.clear()
            for engine in engines:
                self._feed(engine, now)
            if self._sent == sent:
                return

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
            self._bound_waiting(job, now)
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
        job.engine = None
        if job.begun:
            job.begun = False
            self._timers.clear(job)

    def _watch(self, engine: Engine, now: float) -> None:
        """The engine may have begun with another job: it waits no more, and its time counts."""
        head = engine.head
        if head is None or head.begun:
            return
        head.begun = True
        self._count_time(head, now)

    def _count_time(self, job: Job, now: float) -> None:
        """A job has begun: it waits no more, and its time counts."""
        self._timers.clear(job)
        if job.terms.time_limit:
            self._timers.set(job, now + job.terms.time_limit)

    # ---- how jobs come back

    def _try_again(self, job: Job, engine: Engine, retryable: bool, again: list[Job]) -> bool:
        """Whether a job that has failed is to be tried again; it is in `again` then."""
        if not job.retries or not retryable or job.cancelled:
            return False
        job.retries -= 1
        self._timers.clear(job)
        job.avoided |= {engine.uuid}
        again.append(job)
        return True

    def _not_begun(self, engine: Engine, sendings: Iterable[str], now: float) -> None:
        """An engine will not run these jobs, each as it was sent, and has not begun them."""
        again = []
        for job in [job for sending in sendings if (job := engine.held(sending))]:
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
        self._settle(now)

    def _note_cancelled(self, job: Job, outcome: str) -> None:
        self._commands += self._cancellations.note(job.msg_id, outcome)

    # ---- how jobs end

    def _fail(self, job: Job, error: Exception, engine: Engine | None = None) -> None:
        self._end(job, False, engine)
        self._commands.append(Fail(job, error, engine))

    def _abort(self, job: Job) -> None:
        self._end(job, False)
        self._commands.append(Abort(job))

    def _end(self, job: Job, ok: bool, engine: Engine | None = None) -> None:
        if job.phase is Phase.ENDED or job.engine is not None:
            raise RuntimeError(f"{job} cannot end")
        if job.waits is not None:
            self._graph.discard(job)
        job.phase = Phase.ENDED
        self._timers.clear(job)
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

    def ended_before(self, msg_id: str, ok: bool, uuid: str) -> None:
        """A task had ended before there was this machine: others may name it."""
        engine = self.engines.get(uuid)
        self._outcomes.put(msg_id, ok, engine.number if engine is not None else 0)

    def _draw_consequences(self, now: float) -> None:
        while self._ends:
            msg_id, outcome = self._ends.popleft()
            for job, error in self._graph.ended(msg_id, outcome):
                if error is not None:
                    self._fail(job, error)
                else:
                    self._board.discard(job)
                    self._stand(job, now)
