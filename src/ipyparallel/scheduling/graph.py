"""Jobs that wait for other tasks to end: each end wakes those that it concerns, and no others."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from ..error import ImpossibleDependency, InvalidDependency
from .dependencies import Dependency
from .outcomes import Outcome, Outcomes
from .state import Job


class Unmeetable(Exception):
    """What a job waits for can not come to pass; carries the error for its client."""

    def __init__(self, error: ImpossibleDependency) -> None:
        super().__init__(error)
        self.error = error


class Waits:
    """What one job still waits for.

    Parameters
    ----------
    job : Job
    place_of : callable
        The uuid of the engine of that number; None if it is gone, or may not run the job.
    """

    __slots__ = ("_after", "_engines", "_follow", "_job", "_place_of", "pending")

    def __init__(self, job: Job, place_of: Callable[[Job, int], str | None]) -> None:
        self._job = job
        self._place_of = place_of
        #: The tasks whose end it waits for.
        self.pending: set[str] = set()
        # how many of each dependency's tasks are to count yet
        self._after = _needed(job.terms.after)
        self._follow = _needed(job.terms.follow)
        #: Where those ran that it follows, as far as they have ended.
        self._engines: set[str] = set()

    @property
    def over(self) -> bool:
        """Whether it waits no more."""
        return self._after == 0 and self._follow == 0

    @property
    def engines(self) -> frozenset[str]:
        """The engines where it may run, for what it follows; empty for any."""
        return frozenset(self._engines)

    def ended(self, msg_id: str, outcome: Outcome) -> None:
        """One of these tasks has ended.

        Raises
        ------
        Unmeetable
            So that the job can never run.
        """
        self.pending.discard(msg_id)
        after, follow = self._job.terms.after, self._job.terms.follow
        if after is not None and msg_id in after:
            counts = _counts(after, outcome.ok)
            self._after = self._count(after, self._after, msg_id, outcome, counts)
        if follow is not None and msg_id in follow:
            uuid = self._place_of(self._job, outcome.engine)
            counts = _counts(follow, outcome.ok) and uuid is not None
            if counts and uuid is not None:
                self._engines.add(uuid)
            self._follow = self._count(follow, self._follow, msg_id, outcome, counts)
            if follow.all and len(self._engines) > 1:
                raise Unmeetable(
                    ImpossibleDependency(
                        f"task {self._job.msg_id} cannot follow tasks that ran on different"
                        f" engines: {', '.join(sorted(follow))}"
                    )
                )

    def _count(
        self, dependency: Dependency, needed: int, msg_id: str, outcome: Outcome, counts: bool
    ) -> int:
        if counts:
            return max(0, needed - 1)
        if needed and (dependency.all or self.pending.isdisjoint(dependency)):
            how = "succeeded" if outcome.ok else "failed"
            if _counts(dependency, outcome.ok):
                how = "never ran"
                if outcome.engine:
                    how = "ran on an engine that is gone, or that may not run this one"
            raise Unmeetable(
                ImpossibleDependency(
                    f"task {self._job.msg_id} can never run: it depends on {msg_id}, which {how}"
                )
            )
        return needed


class Graph:
    """Which jobs wait for which tasks.

    Parameters
    ----------
    outcomes : Outcomes
        Of the tasks that have ended.
    is_known : callable
        Whether a task is one that has not ended.
    place_of : callable
        The uuid of the engine of that number; None if it is gone, or may not run the job.
    """

    def __init__(
        self,
        outcomes: Outcomes,
        is_known: Callable[[str], bool],
        place_of: Callable[[Job, int], str | None],
    ) -> None:
        self._outcomes = outcomes
        self._is_known = is_known
        self._place_of = place_of
        self._waiting_for: dict[str, dict[Job, None]] = {}

    def add(self, job: Job) -> bool:
        """Have a job wait for the tasks that it depends on; whether there are any that have not
        ended.

        What it follows, if that is all known, narrows down the engines where it is allowed.

        Raises
        ------
        Unmeetable
            It can never run.
        """
        self.discard(job)
        waits = job.waits = Waits(job, self._place_of)
        try:
            return self._add(job, waits)
        except Unmeetable:
            self.discard(job)
            raise

    def _add(self, job: Job, waits: Waits) -> bool:
        # all of them first: what of an end follows depends on how many are still to come
        waits.pending = set(job.terms.after or ()) | set(job.terms.follow or ())
        ended: dict[str, Outcome] = {}
        for msg_id in waits.pending:
            if msg_id == job.msg_id:
                raise _invalid(job, "itself")
            if self._is_known(msg_id):
                continue
            outcome = self._outcomes.get(msg_id)
            if outcome is None:
                raise _invalid(
                    job,
                    f"{msg_id}, which the task scheduler does not know: it is no balanced task"
                    " that was submitted before, or it ended too long ago",
                )
            ended[msg_id] = outcome
        for msg_id, outcome in ended.items():
            waits.ended(msg_id, outcome)
        for msg_id in waits.pending:
            self._waiting_for.setdefault(msg_id, {})[job] = None
        if waits.over:
            self._release(job)
            return False
        return True

    def concerns(self, msg_id: str) -> bool:
        """Whether anybody waits for the end of a task."""
        return msg_id in self._waiting_for

    def discard(self, job: Job) -> None:
        """A job waits no more."""
        if job.waits is None:
            return
        for msg_id in job.waits.pending:
            jobs = self._waiting_for.get(msg_id)
            if jobs is not None:
                jobs.pop(job, None)
                if not jobs:
                    del self._waiting_for[msg_id]
        job.waits = None

    def ended(
        self, msg_id: str, outcome: Outcome
    ) -> Iterator[tuple[Job, ImpossibleDependency | None]]:
        """A task has ended: what this changes, for whom.

        Yields
        ------
        job : Job
            It waits no more, or may run on more engines than before.
        error : ImpossibleDependency or None
            Why it can never run, if that is so.
        """
        for job in self._waiting_for.pop(msg_id, ()):
            waits = job.waits
            if waits is None:
                continue  # another one that this end set free took it along
            was_over, before = waits.over, job.allowed
            try:
                waits.ended(msg_id, outcome)
            except Unmeetable as e:
                self.discard(job)
                yield job, e.error
                continue
            if waits.over:
                self._release(job)
                if not was_over or job.allowed != before:
                    yield job, None

    def _release(self, job: Job) -> None:
        waits = job.waits
        assert waits is not None
        follow = job.terms.follow
        if follow:
            job.allowed = waits.engines
        if not follow or follow.all or waits.pending.isdisjoint(follow):
            self.discard(job)
        # else: each of those that are to end may open it another engine


def _needed(dependency: Dependency | None) -> int:
    if not dependency:
        return 0
    return len(dependency) if dependency.all else 1


def _counts(dependency: Dependency, ok: bool) -> bool:
    return dependency.success if ok else dependency.failure


def _invalid(job: Job, what: str) -> Unmeetable:
    return Unmeetable(InvalidDependency(f"task {job.msg_id} depends on {what}"))
