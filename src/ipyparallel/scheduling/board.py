"""Who waits, who is free: the lines of jobs, and the engines that serve them."""

from __future__ import annotations

from collections.abc import Iterable

from .lines import Line, Rank
from .policies.protocol import Policy
from .state import Engine, Job
from .terms import Amounts

_Key = tuple[frozenset[str], frozenset[str], Amounts]

_NONE: frozenset[str] = frozenset()

#: Seconds that the replacement of an engine may take.
REPLACEMENT = 30.0


class Board:
    """Matches jobs and engines.

    Parameters
    ----------
    policy : Policy
        Picks among engines that have room.
    """

    def __init__(self, policy: Policy) -> None:
        self.engines: dict[str, Engine] = {}
        #: Engines that are being replaced, by id, and until when the new one is hoped for: what
        #: they have is to be had again soon.
        self._expected: dict[int, tuple[Engine, float]] = {}
        #: Until when it is hoped that one of those engines that still come has what those have not
        #: that are there; None if nobody waits for such a one.
        self._hoping: float | None = None
        self._policy = policy
        #: For the jobs that may run anywhere; it is always there.
        self._common = Line(_NONE, _NONE, ())
        self._lines: dict[_Key, Line] = {(_NONE, _NONE, ()): self._common}
        #: Engines that hold more than one job; in the order in which they came to do so.
        self.crowded: dict[Engine, None] = {}
        #: Engines with room that keep what they have for a job that needs more, from one that needs
        #: less. The order of these two may change without the engine's doing.
        self.keeping: dict[Engine, None] = {}
        self._joined = 0
        self._by_number: dict[int, str] = {}

    def place_of(self, job: Job, number: int) -> str | None:
        """The engine of that number, if it is there and may run the job."""
        engine = self.engines.get(self._by_number.get(number, ""))
        if engine is None:
            return None
        targets = job.terms.targets
        is_able = (
            (not targets or engine.uuid in targets)
            and engine.uuid not in job.unmet
            and engine.could_run(job.terms.resources)
        )
        return engine.uuid if is_able else None

    # ---- engines

    def join(self, engine: Engine, now: float) -> list[Job]:
        """An engine is there; the jobs that no engine serves, if they have hoped for this one."""
        self._joined += 1
        engine.number = self._joined
        self._by_number[engine.number] = engine.uuid
        self.engines[engine.uuid] = engine
        self._policy.add(engine)
        unserved = False
        for line in self._lines.values():
            if line.suits(engine):
                self._serve(line, engine)
            unserved = unserved or not line.engines
        if self._expected.pop(engine.id, None) is not None:
            return self._strand_unserved()
        self._hoping = now + REPLACEMENT if unserved else None
        return []

    def leave(self, uuid: str) -> tuple[Engine, list[Job]] | None:
        """An engine is gone.

        Returns
        -------
        engine : Engine
        stranded : list of Job
            Those that waited for it and that no other engine serves; they are nowhere now.
        """
        engine = self.engines.pop(uuid, None)
        if engine is None:
            return None
        del self._by_number[engine.number]
        self._policy.remove(engine)
        self.crowded.pop(engine, None)
        self.keeping.pop(engine, None)
        stranded: list[Job] = []
        for line in list(engine.lines):
            line.engines.discard(engine)
            if not line.engines:
                stranded += self._strand(line)
        return engine, stranded

    def _strand(self, line: Line) -> list[Job]:
        jobs = list(line) if line is not self._common else []
        for job in jobs:
            self.discard(job)
        return jobs

    def _strand_unserved(self) -> list[Job]:
        unserved = [line for line in self._lines.values() if not line.engines]
        return [job for line in unserved for job in self._strand(line)]

    def expect(self, engine: Engine, now: float) -> None:
        """An engine is to be replaced."""
        engine.condemned = True
        self._policy.update(engine)
        self._expected[engine.id] = (engine, now + REPLACEMENT)

    @property
    def next_deadline(self) -> float | None:
        """When to `give_up`."""
        replaced = min((until for _, until in self._expected.values()), default=None)
        if self._hoping is None or replaced is None:
            return self._hoping if replaced is None else replaced
        return min(self._hoping, replaced)

    def give_up(self, now: float) -> tuple[list[Job], list[Engine]]:
        """Expect what should have come by now no more.

        Returns
        -------
        unserved : list of Job
            Those that no engine serves; they are nowhere now.
        refusing : list of Engine
            Those that should have been replaced, and are still there: they may get jobs again.
        """
        late = [engine_id for engine_id, (_, until) in self._expected.items() if until <= now]
        refusing = []
        for engine_id in late:
            engine, _ = self._expected.pop(engine_id)
            if self.engines.get(engine.uuid) is engine:
                engine.condemned = False
                refusing.append(engine)
        hoped = self._hoping is not None and self._hoping <= now
        if hoped:
            self._hoping = None
        return self._strand_unserved() if late or hoped else [], refusing

    def changed(self, engine: Engine) -> None:
        """The load or the limit of an engine changed."""
        if engine.load > 1:
            self.crowded[engine] = None
        else:
            self.crowded.pop(engine, None)
        self._policy.update(engine)

    # ---- jobs

    def could_run(self, job: Job) -> bool:
        """Whether there is, or is to be, an engine for the job, if it had room.

        Where it has failed before does not count, as long as there are others. But it does not wait
        for one that is only expected, rather than run there again.
        """
        terms = job.terms
        expected = False
        plain = not (terms.resources or job.unmet or job.avoided)
        if job.allowed:
            if plain:
                return any(uuid in self.engines for uuid in job.allowed)
            engines: Iterable[Engine] = [
                self.engines[uuid] for uuid in job.allowed if uuid in self.engines
            ]
        elif plain or not self.engines:
            return True
        else:
            engines = self.engines.values()
            expected = any(e.could_run(terms.resources) for e, _ in self._expected.values())
        able = {e.uuid for e in engines if e.could_run(terms.resources)} - job.unmet
        if job.avoided and not able - job.avoided:
            job.avoided = _NONE
        return expected or bool(able)

    def wait(self, job: Job) -> Line:
        """Have a job wait in the line where it belongs."""
        if job.allowed or job.avoided or job.unmet or job.terms.resources:
            line = self._line(job)
        else:
            line = self._common
        line.add(job)
        return line

    def _line(self, job: Job) -> Line:
        barred = job.avoided | job.unmet
        key = (job.allowed, barred, job.terms.resources)
        line = self._lines.get(key)
        if line is None:
            line = self._lines[key] = Line(*key)
            named = [self.engines[uuid] for uuid in job.allowed if uuid in self.engines]
            for engine in named if job.allowed else self.engines.values():
                if line.suits(engine):
                    self._serve(line, engine)
        return line

    def _serve(self, line: Line, engine: Engine) -> None:
        line.engines.add(engine)
        engine.lines[line] = None

    def discard(self, job: Job) -> None:
        """A job waits no more."""
        line = job.line
        if line is not None:
            line.discard(job)
            self._tidy(line)

    def _tidy(self, line: Line) -> None:
        """Forget a line in which nobody stands."""
        if line.length or line is self._common:
            return
        del self._lines[line.allowed, line.barred, line.resources]
        for engine in line.engines:
            del engine.lines[line]

    # ---- who goes where

    def engine_for_any(self) -> Engine | None:
        """The engine for a job that may run anywhere; None if it has to wait."""
        return None if self._common.length else self._policy.pick()

    def engines_for(self, line: Line, job: Job) -> Iterable[Engine]:
        """Engines with room for a job that has just come to stand in a line, the best one first."""
        if line is self._common:
            while line.length == 1 and (picked := self._policy.pick()) is not None:
                yield picked
            return
        if line.length > 1:
            # those before it would have been sent where there is room; but what they need may be
            # kept for another that is before them, and not before this one
            first = line.first()
            if not line.resources or first is None or first[1] is not job:
                return
        left = {e for e in line.engines if not e.full and e.can_run(line.resources)}
        while (engine := self._policy.pick_among(left)) is not None:
            yield engine
            left.discard(engine)

    def next_for(self, engine: Engine) -> Job | None:
        """The job that an engine with room is to run; it waits no more then."""
        common = self._common
        if len(engine.lines) == 1:
            first = common.first() if common.length else None
            if first is None:
                return None
            job = first[1]
            common.pop(job)
            return job
        return self._next_of_several(engine)

    def _next_of_several(self, engine: Engine) -> Job | None:
        candidates: list[tuple[Rank, Job, Line]] = []
        for line in engine.lines:
            first = line.first() if line.length else None
            if first is not None:
                candidates.append((*first, line))
        # What one of a higher rank waits for is not given to others, or it might wait for ever.
        kept: set[str] = set()
        for _, job, line in sorted(candidates, key=lambda candidate: candidate[0]):
            names = {name for name, _ in line.resources}
            if engine.can_run(line.resources):
                if names.isdisjoint(kept):
                    line.pop(job)
                    self._tidy(line)
                    return job
                self.keeping[engine] = None
            kept |= names
        return None
