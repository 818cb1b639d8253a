"""A set of engines out of which one is drawn by lot."""

from __future__ import annotations

from random import Random

from ..state import Engine


class Pool:
    """Adds, removes and draws in constant time, however many engines there are."""

    __slots__ = ("_engines", "_place")

    def __init__(self) -> None:
        self._engines: list[Engine] = []
        self._place: dict[Engine, int] = {}

    def __contains__(self, engine: object) -> bool:
        return engine in self._place

    def __len__(self) -> int:
        return len(self._engines)

    def add(self, engine: Engine) -> None:
        """Put an engine in, unless it is in already."""
        if engine not in self._place:
            self._place[engine] = len(self._engines)
            self._engines.append(engine)

    def discard(self, engine: Engine) -> None:
        """Take an engine out, if it is in."""
        place = self._place.pop(engine, None)
        if place is None:
            return
        last = self._engines.pop()
        if last is not engine:  # it takes the empty place
            self._engines[place] = last
            self._place[last] = place

    def draw(self, random: Random) -> Engine:
        """One of the engines, each with the same probability; IndexError when there is none."""
        return random.choice(self._engines)
