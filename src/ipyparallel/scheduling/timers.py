"""What is to happen to jobs after some time, unless something else happens to them before."""

from __future__ import annotations

from heapq import heapify, heappop, heappush

from .state import Job

#: Entries that hold no more are thrown out when there are this many more of them than of others.
_SLACK = 1000


class Timers:
    """Deadlines of jobs; a job has one at a time."""

    def __init__(self) -> None:
        # (when, number): a job that has ended may be large, so that the heap does not hold any
        self._heap: list[tuple[float, int]] = []
        self._jobs: dict[int, Job] = {}
        self._number = 0

    def set(self, job: Job, when: float) -> None:
        """Something is to happen to a job, instead of what was to happen before."""
        self.clear(job)
        self._number += 1
        job.timer = self._number
        self._jobs[job.timer] = job
        heappush(self._heap, (when, job.timer))

    def clear(self, job: Job) -> None:
        """Nothing is to happen to a job any more."""
        if not job.timer:
            return
        del self._jobs[job.timer]
        job.timer = 0
        if len(self._heap) > 2 * len(self._jobs) + _SLACK:
            self._heap = [entry for entry in self._heap if entry[1] in self._jobs]
            heapify(self._heap)

    def next(self) -> float | None:
        """When something is to happen; None if nothing is."""
        while self._heap and self._heap[0][1] not in self._jobs:
            heappop(self._heap)
        return self._heap[0][0] if self._heap else None

    def pop_due(self, now: float) -> list[Job]:
        """The jobs to which something is to happen by now."""
        due = []
        while (when := self.next()) is not None and when <= now:
            job = self._jobs.pop(heappop(self._heap)[1])
            job.timer = 0
            due.append(job)
        return due
