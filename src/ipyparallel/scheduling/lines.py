"""Lines of jobs that wait for an engine: one line for all that may run on the same engines.

Within a line, and between the lines that an engine serves, the job that goes first is one of the
highest priority; among these, one of the owner who was served longest ago; among this owner's, the
one submitted by the deepest task, since others wait for that; and then the oldest.
"""

from __future__ import annotations

from collections.abc import Iterator
from heapq import heapify, heappop, heappush

from .state import Engine, Job, Owner, Phase
from .terms import Amounts

#: What decides which of two jobs goes first; the lower one does. The last is different for all.
Rank = tuple[int, int, int, int]

#: (- priority, - depth, sequence, job): a place in one owner's queue.
_Place = tuple[int, int, int, Job]

#: Jobs that left their queue otherwise than at its head stay in it until there are this many more
#: of them than of others.
_SLACK = 32


class Line:
    """Jobs that may run on the same engines.

    Parameters
    ----------
    allowed : frozenset of str
        Engines (uuids) that may run them; empty for any.
    barred : frozenset of str
        Engines that may not.
    resources : tuple of (str, float)
        What each of the jobs takes.
    """

    __slots__ = ("_left", "_queues", "allowed", "barred", "engines", "length", "resources")

    def __init__(self, allowed: frozenset[str], barred: frozenset[str], resources: Amounts) -> None:
        self.allowed = allowed
        self.barred = barred
        self.resources = resources
        #: The engines that may run them.
        self.engines: set[Engine] = set()
        #: How many jobs stand here.
        self.length = 0
        self._queues: dict[Owner, list[_Place]] = {}
        #: How many places there are of jobs that stand here no more.
        self._left = 0

    def suits(self, engine: Engine) -> bool:
        """Whether an engine may run these jobs, once it has room."""
        return (
            (not self.allowed or engine.uuid in self.allowed)
            and engine.uuid not in self.barred
            and (not self.resources or engine.could_run(self.resources))
        )

    def __iter__(self) -> Iterator[Job]:
        return (
            place[3]
            for queue in list(self._queues.values())
            for place in list(queue)
            if self._stands(place[3])
        )

    def _stands(self, job: Job) -> bool:
        return job.line is self and job.phase is Phase.WAITING

    def add(self, job: Job) -> None:
        """A job waits."""
        assert job.owner is not None
        job.line = self
        self.length += 1
        queue = self._queues.get(job.owner)
        if queue is None:
            queue = self._queues[job.owner] = []
        terms = job.terms
        heappush(queue, (-terms.priority, -terms.depth, job.sequence, job))

    def discard(self, job: Job) -> None:
        """A job waits no more, and was not the first."""
        job.line = None
        self.length -= 1
        self._left += 1
        if not self.length:
            self._queues.clear()
            self._left = 0
        elif self._left > self.length + _SLACK:
            self._left = 0
            for owner, queue in list(self._queues.items()):
                queue[:] = [place for place in queue if self._stands(place[3])]
                heapify(queue)
                if not queue:
                    del self._queues[owner]

    def first(self) -> tuple[Rank, Job] | None:
        """The job that goes first, and what decides that; None if nobody stands here."""
        best: tuple[Rank, Job] | None = None
        for owner in list(self._queues):
            queue = self._queues[owner]
            while queue and not self._stands(queue[0][3]):
                heappop(queue)
                self._left -= 1
            if not queue:
                del self._queues[owner]
                continue
            priority, depth, sequence, job = queue[0]
            rank = (priority, owner.turn, depth, sequence)
            if best is None or rank < best[0]:
                best = (rank, job)
        return best

    def pop(self, job: Job) -> None:
        """The job that is `first` is taken out."""
        assert job.owner is not None
        queue = self._queues[job.owner]
        heappop(queue)
        if not queue:
            del self._queues[job.owner]
        job.line = None
        self.length -= 1
