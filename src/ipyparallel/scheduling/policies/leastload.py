"""Least load: the engine that holds the fewest tasks; among equals, the one longest at that load.

The engines that are not full stand in one line per load, so that a pick costs the same however
many engines there are.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable

from ..state import Engine


class LeastLoad:
    """See the module's text."""

    def __init__(self) -> None:
        # ordered dicts, since a plain one is slow to find its first item after many were removed
        self._lines: dict[int, OrderedDict[Engine, None]] = {}
        #: The load an engine had last, and since when, by a count of changes.
        self._place: dict[Engine, tuple[int, int]] = {}
        self._changes = 0
        self._lowest = 0

    def add(self, engine: Engine) -> None:
        """An engine joined."""
        self.update(engine)

    def remove(self, engine: Engine) -> None:
        """An engine left."""
        place = self._place.pop(engine, None)
        if place is not None:
            self._leave(engine, place[0])

    def _leave(self, engine: Engine, load: int) -> None:
        line = self._lines[load]
        del line[engine]
        if not line:  # or an empty one would be kept for each load there ever was
            del self._lines[load]

    def update(self, engine: Engine) -> None:
        """The load or the limit of an engine changed."""
        load = engine.load
        place = self._place.get(engine)
        if engine.full:
            if place is not None:
                self.remove(engine)
            return
        if place is not None:
            if place[0] == load:
                return
            self._leave(engine, place[0])
        line = self._lines.get(load)
        if line is None:
            line = self._lines[load] = OrderedDict()
        line[engine] = None
        self._changes += 1
        self._place[engine] = (load, self._changes)
        self._lowest = min(self._lowest, load)

    def pick(self) -> Engine | None:
        """The engine for the next task; None when all are full."""
        if not self._place:
            self._lowest = 0
            return None
        while (line := self._lines.get(self._lowest)) is None:
            # what is passed here is passed for good until an engine's load falls again, so this
            # does not add up
            self._lowest += 1
        return next(iter(line))

    def pick_among(self, candidates: Iterable[Engine]) -> Engine | None:
        """Like `pick`, for a task that only some engines may run."""
        free = [engine for engine in candidates if engine in self._place]
        return min(free, key=self._place.__getitem__, default=None)
