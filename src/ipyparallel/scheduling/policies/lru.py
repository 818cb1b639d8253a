"""LRU: of the engines that are not full, the one used least recently; new engines come first.

A heap of the engines that are not full, by their last use. What has changed since is left in it,
told by a rank that is out of date, and dropped when it comes up.
"""

from __future__ import annotations

from collections.abc import Iterable
from heapq import heapify, heappop, heappush

from ..state import Engine
from .recency import Recency

#: Entries out of date that the heap may hold beside those of the engines.
_SLACK = 64


class LRU:
    """See the module's text."""

    def __init__(self) -> None:
        self._recency = Recency()
        #: Ranks are unique, so that engines are never compared.
        self._heap: list[tuple[int, Engine]] = []
        #: The engines that are not full, by the rank they have in the heap.
        self._queued: dict[Engine, int] = {}

    def add(self, engine: Engine) -> None:
        """An engine joined."""
        self._recency.add(engine)
        self._queue(engine)

    def remove(self, engine: Engine) -> None:
        """An engine left."""
        self._recency.remove(engine)
        self._queued.pop(engine, None)

    def update(self, engine: Engine) -> None:
        """The load or the limit of an engine changed."""
        self._recency.update(engine)
        self._queue(engine)

    def _queue(self, engine: Engine) -> None:
        if engine.full:
            self._queued.pop(engine, None)
            return
        rank = self._recency[engine]
        if self._queued.get(engine) == rank:
            return
        self._queued[engine] = rank
        heappush(self._heap, (rank, engine))
        if len(self._heap) > 2 * len(self._recency) + _SLACK:
            self._heap = [(rank, engine) for engine, rank in self._queued.items()]
            heapify(self._heap)

    def pick(self) -> Engine | None:
        """The engine for the next task; None when all are full."""
        heap = self._heap
        while heap:
            rank, engine = heap[0]
            if self._queued.get(engine) == rank:
                return engine
            heappop(heap)
        return None

    def pick_among(self, candidates: Iterable[Engine]) -> Engine | None:
        """Like `pick`, for a task that only some engines may run."""
        free = [engine for engine in candidates if engine in self._queued]
        return min(free, key=self._queued.__getitem__, default=None)
