"""Engines that are away and come back, with what they hold; and what was lost meanwhile.

An engine may be out of reach for a while, with all its tasks, or may have been given up, and come
back: then it brings along tasks of which nothing is known (any more). Those are *adopted*: they
take its time as others do, and their replies are delivered. When a client submits one of them
again, because the scheduler is not the one that it had submitted it to, it is that client's from
then on.

When the connection to an engine broke, what was on its way is lost. The engine is asked, as soon
as there is a connection again, which it means.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from . import reasons
from .books import Books
from .cancelling import RUNNING
from .commands import Cancel, Recall
from .state import Engine, Job, Owner, Phase, adopt, msg_id_of


class Returns(Books):
    """See the module's text."""

    def engine_away(self, uuid: str) -> None:
        """Nothing was heard of an engine for a while: it gets nothing new."""
        engine = self.engines.get(uuid)
        if engine is not None:
            engine.away = True
            self._board.changed(engine)

    def engine_back(self, uuid: str, now: float) -> None:
        """An engine that was away is heard again."""
        engine = self.engines.get(uuid)
        if engine is not None and engine.away:
            engine.away = False
            self._feed(engine, now)
            self._settle(now)

    def engine_reached(self, uuid: str, now: float) -> None:
        """An engine can be reached, maybe again."""
        engine = self.engines.get(uuid)
        if engine is not None and engine.lost:
            engine.lost = False
            self._feed(engine, now)
            self._settle(now)

    def sendings(self, uuid: str) -> list[str]:
        """What an engine holds, as far as is known here."""
        engine = self.engines.get(uuid)
        return [job.sending for job in engine.running.values()] if engine is not None else []

    def holds(self, uuid: str, sendings: Iterable[str], now: float) -> None:
        """An engine that has come back says what it holds: these jobs, each as it was sent."""
        engine = self.engines.get(uuid)
        if engine is not None:
            self._adopt(engine, sendings, now)
            self._settle(now)

    def answered_unasked(self, uuid: str, msg_id: str, ok: bool) -> None:
        """An engine has answered what is not known here (yet): that is not to be awaited."""
        if self._outcomes.get(msg_id) is None:
            self.ended_before(msg_id, ok, uuid)

    def never_came(self, uuid: str, sendings: Iterable[str], now: float) -> None:
        """These jobs were sent to an engine, and were lost on the way."""
        engine = self.engines.get(uuid)
        if engine is not None:
            self._not_begun(engine, sendings, now)

    def results_lost(self, uuid: str, sendings: Iterable[str], now: float) -> None:
        """An engine has run these jobs, and its replies were lost on the way."""
        engine = self.engines.get(uuid)
        if engine is None:
            return
        again: list[Job] = []
        for job in [job for sending in sendings if (job := engine.held(sending))]:
            self._take_off(job)
            if job.cancelled:
                self._note_cancelled(job, RUNNING)
            if not self._try_again(job, engine, retryable=True, again=again):
                self._fail(job, reasons.result_lost(job, engine), engine)
        self._admit(again, now)
        self._draw_consequences(now)
        self._feed(engine, now)
        self._settle(now)

    def errands_lost(self, uuid: str) -> None:
        """What an engine was asked about its jobs, or its answer, may be lost: ask again."""
        engine = self.engines.get(uuid)
        if engine is None:
            return
        jobs = list(engine.running.values())
        if engine.recalling:
            begun = {engine.head, *engine.paused}
            # in any case: it answers, and counts as asked no more
            self._commands.append(Recall(engine, tuple(j for j in jobs if j not in begun)))
        for interrupt in (True, False):
            asked = tuple(
                j for j in jobs if (j.cancelled or j.overdue) and _insists(j) is interrupt
            )
            if asked:
                self._commands.append(Cancel(engine, asked, interrupt))

    def claimed(self, job: Job, now: float) -> None:
        """A client submits a job that an engine holds already: it is that client's from now on."""
        known = self.jobs[job.msg_id]
        engine = known.engine
        assert engine is not None
        assert known.adopted
        known.adopted = False
        known.payload = job.payload
        known.terms = job.terms
        known.retries = job.retries
        known.allowed = job.allowed
        self._give_to(known, job.owner_name)
        if job.terms.resources and known not in engine.paused:
            engine.occupy(job.terms.resources)
        if job.terms.time_limit or job.terms.timeout:
            self._timed += 1
            self._bound_waiting(known, now)
            known.begun = known in engine.paused
            if known.begun:
                self._count_time(known, now)
            else:
                self._watch(engine, now)

    # ---- parts of these

    def _adopt(self, engine: Engine, sendings: Iterable[str], now: float) -> None:
        for sending in sendings:
            job = self.jobs.get(msg_id_of(sending))
            if job is None:
                job = adopt(sending)
                self._enter(job)
            elif job.engine is not None:
                continue  # there, or sent to another one meanwhile
            else:
                # it was to be sent, as its engine had not been heard of
                self._board.discard(job)
                if job.waits is not None:
                    self._graph.discard(job)
                job.attempt = adopt(sending).attempt
            self._place(engine, job, now)
        self._board.changed(engine)

    def _unknown_ends(self, answered: Iterable[str]) -> Iterator[str]:
        """Those of these sendings, which an engine has answered, of whose end we do not know."""
        for sending in answered:
            msg_id = msg_id_of(sending)
            if msg_id not in self.jobs and self._outcomes.get(msg_id) is None:
                yield sending

    def _give_to(self, job: Job, name: str) -> None:
        """Have a job take another owner's turn."""
        before = job.owner
        assert before is not None
        if before.name == name:
            return
        before.jobs -= 1
        if not before.jobs:
            del self._owners[before.name]
        owner = self._owners.get(name)
        if owner is None:
            owner = self._owners[name] = Owner(name, self._sent - 1)
        owner.jobs += 1
        job.owner = owner
        job.owner_name = name

    def _place(self, engine: Engine, job: Job, now: float) -> None:
        """A job is on an engine, without having been sent there by us."""
        job.phase = Phase.SENT
        job.engine = engine
        job.sent_at = now
        engine.running[job.msg_id] = job
        if job.terms.resources:
            engine.occupy(job.terms.resources)
        if job.terms.time_limit or job.terms.timeout:
            self._timed += 1
            self._watch(engine, now)


def _insists(job: Job) -> bool:
    return job.insisted or job.overdue
