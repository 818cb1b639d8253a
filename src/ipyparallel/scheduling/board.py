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
        #: Resources of engines that are being replaced, by id, and until when the new one is hoped
        #: for: they are to be had again soon.
        self._expected: dict[int, tuple[dict[str, float], float]] = {}
        self._policy = policy
        #: For the jobs that may run anywhere; it is always there.
        self._common = Line(_NONE, _NONE, ())
        self._lines: dict[_Key, Line] = {(_NONE, _NONE, ()): self._common}
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

    def join(self, engine: Engine) -> None:
        """An engine is there."""
        self._joined += 1
        engine.number = self._joined
        self._by_number[engine.number] = engine.uuid
        self.engines[engine.uuid] = engine
        self._expected.pop(engine.id, None)
        self._policy.add(engine)
        for line in self._lines.values():
            if line.suits(engine):
                self._serve(line, engine)

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

    def expect(self, engine: Engine, now: float) -> None:
        """An engine is to be replaced."""
        self._expected[engine.id] = (engine.resources, now + REPLACEMENT)

    @property
    def next_deadline(self) -> float | None:
        """When to `give_up`."""
        return min((until for _, until in self._expected.values()), default=None)

    def give_up(self, now: float) -> list[Job]:
        """Expect those engines no more that should have been replaced by now; the jobs that no
        engine serves.
        """
        late = [engine_id for engine_id, (_, until) in self._expected.items() if until <= now]
        for engine_id in late:
            del self._expected[engine_id]
        unserved = [line for line in self._lines.values() if not line.engines] if late else []
        return [job for line in unserved for job in self._strand(line)]

    def changed(self, engine: Engine) -> None:
        """The load or the limit of an engine changed."""
        self._policy.update(engine)

    # ---- jobs

    def could_run(self, job: Job) -> bool:
        """Whether there is, or is to be, an engine for the job, if it had room.

        Where it has failed before does not count, as long as there are others.
        """
        terms = job.terms
        if job.allowed:
            engines: Iterable[Engine] = [
                self.engines[uuid] for uuid in job.allowed if uuid in self.engines
            ]
        elif not self.engines or not (terms.resources or job.unmet or job.avoided):
            return True
        else:
            engines = self.engines.values()
            if any(_has(expected, terms.resources) for expected, _ in self._expected.values()):
                return True
        able = {e.uuid for e in engines if e.could_run(terms.resources)} - job.unmet
        if job.avoided and not able - job.avoided:
            job.avoided = _NONE
        return bool(able)

    def wait(self, job: Job) -> Line:
        """Have a job wait in the line where it belongs."""
        if job.allowed or job.avoided or job.unmet or job.terms.resources:
            line = self._line(job)
        else:
            line = self._common
        line.add(job)
        return line

    def _line(self, job: Job) -> Line:
        key = _key(job)
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

    def discard(self, job: Job) -> list[Engine]:
        """A job waits no more.

        Returns
        -------
        list of Engine
            Those with resources that it may have kept from others; see `next_for`.
        """
        line = job.line
        if line is None:
            return []
        line.discard(job)
        self._tidy(line)
        return sorted(line.engines, key=_by_number) if line.resources else []

    def kept_by(self, job: Job) -> list[Engine]:
        """Engines with room where a job that goes to another one may have kept from others what it
        takes.
        """
        names = {name for name, _ in job.terms.resources}
        engines: set[Engine] = set()
        for key, line in self._lines.items():
            if key != _key(job) and any(name in names for name, _ in line.resources):
                engines |= line.engines
        return sorted((e for e in engines if not e.full), key=_by_number)

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

    def engines_for(self, line: Line) -> Iterable[Engine]:
        """Engines with room for what has just come to stand in a line, the best one first."""
        if line.length > 1 and not line.resources:
            return  # those before it would have been sent there
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
            if engine.can_run(line.resources) and names.isdisjoint(kept):
                line.pop(job)
                self._tidy(line)
                return job
            kept |= names
        return None


def _key(job: Job) -> _Key:
    return job.allowed, job.avoided | job.unmet, job.terms.resources


def _by_number(engine: Engine) -> int:
    return engine.number


def _has(resources: dict[str, float], amounts: Amounts) -> bool:
    return all(resources.get(name, 0) >= amount for name, amount in amounts)
