"""How many elements of a map to put into one task, when that is left to us.

The first tasks are of one element each, and show how long one takes. From then on a task gets as
many as take a set time; less towards the end, where engines should finish together.
"""

from __future__ import annotations

import math

#: Seconds that a task should take: so long that what it costs to send it does not count, and so
#: short that progress shows, and that no engine is left alone with much.
TARGET = 0.075

#: Seconds below which a task is not worth its while, whatever the end looks like.
LEAST = 0.005

#: How many times as many elements as have been seen to go well a task may get.
GROWTH = 8

#: Most elements of a task, however quick they are: there are several tasks in memory.
MOST = 20_000

#: Into how many tasks for each engine what remains is cut at the end.
SHARES = 3


class ChunkSizes:
    """Sizes of tasks, by how long those before them took."""

    def __init__(self) -> None:
        #: Seconds and elements, of which older ones count less and less.
        self._seconds = 0.0
        self._items = 0.0
        #: Elements of the largest task that has ended.
        self._largest = 0

    @property
    def known(self) -> bool:
        """Whether a task has told how long it took."""
        return self._largest > 0

    def observe(self, seconds: float, items: int) -> None:
        """A task of so many elements took so long on its engine."""
        self._seconds = self._seconds / 2 + seconds
        self._items = self._items / 2 + items
        self._largest = max(self._largest, items)

    def next(self, workers: int, remaining: int | None = None) -> int:
        """How many elements the next task should have.

        Parameters
        ----------
        workers : int
            How many engines there are.
        remaining : int, optional
            How many elements there are that are in no task yet; None if nobody knows.
        """
        if not self._largest:
            return 1
        each = self._seconds / self._items
        size, least = (TARGET / each, LEAST / each) if each > 0 else (math.inf, math.inf)
        if remaining is not None:
            share = remaining / (SHARES * max(1, workers))
            size = min(size, max(share, least), remaining)
        return max(1, math.floor(min(size, GROWTH * self._largest, MOST)))
