"""What is to happen to jobs after some time, unless something else happens to them before."""

from __future__ import annotations

from heapq import heapify, heappop, heappush

from .state import Job, Phase

_SLACK = 1000


class Timers:
    """Deadlines of jobs; a job has one at a time, and it holds as long as its phase does."""

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, Job]] = []
        self._number = 0
        #: How long the heap may become before what does not hold any more is thrown out.
        self._enough = _SLACK

    def set(self, job: Job, when: float) -> None:
        """Something is to happen to a job, instead of what was to happen before."""
        job.deadline = when
        self._number += 1
        heappush(self._heap, (when, self._number, job))
        if len(self._heap) > self._enough:
            self._heap = [entry for entry in self._heap if _holds(entry)]
            heapify(self._heap)
            self._enough = 2 * len(self._heap) + _SLACK

    def next(self) -> float | None:
        """When something is to happen; None if nothing is."""
        while self._heap and not _holds(self._heap[0]):
            heappop(self._heap)
        return self._heap[0][0] if self._heap else None

    def pop_due(self, now: float) -> list[Job]:
        """The jobs to which something is to happen by now."""
        due = []
        while (when := self.next()) is not None and when <= now:
            job = heappop(self._heap)[2]
            job.deadline = 0.0
            due.append(job)
        return due


def _holds(entry: tuple[float, int, Job]) -> bool:
    when, _, job = entry
    return job.deadline == when and job.phase is not Phase.ENDED
