"""Least load: the engine that holds the fewest tasks; among equals, the one longest at that load.

The engines that are not full stand in one line per load, so that a pick costs the same however
many engines there are.
"""

from __future__ import annotations

from collections.abc import Iterable

from ..state import Engine


class LeastLoad:
    """See the module's text."""

    def __init__(self) -> None:
        self._lines: dict[int, dict[Engine, None]] = {}
        self._place: dict[Engine, int] = {}
        self._lowest = 0

    def add(self, engine: Engine) -> None:
        """An engine joined."""
        self.update(engine)

    def remove(self, engine: Engine) -> None:
        """An engine left."""
        place = self._place.pop(engine, None)
        if place is not None:
            del self._lines[place][engine]

    def update(self, engine: Engine) -> None:
        """The load or the limit of an engine changed."""
        load = len(engine.running)
        place = self._place.get(engine)
        if engine.full:
            if place is not None:
                self.remove(engine)
            return
        if place == load:
            return
        if place is not None:
            del self._lines[place][engine]
        line = self._lines.get(load)
        if line is None:
            line = self._lines[load] = {}
        line[engine] = None
        self._place[engine] = load
        self._lowest = min(self._lowest, load)

    def pick(self) -> Engine | None:
        """The engine for the next task; None when all are full."""
        if not self._place:
            self._lowest = 0
            return None
        while not (line := self._lines.get(self._lowest)):
            # loads are small numbers, and the line passed here is left behind for good
            # until an engine's load falls again, so this does not add up
            self._lines.pop(self._lowest, None)
            self._lowest += 1
        return next(iter(line))

    def pick_among(self, candidates: Iterable[Engine]) -> Engine | None:
        """Like `pick`, for a task that only some engines may run."""
        return min((e for e in candidates if not e.full), key=lambda e: e.load, default=None)
