"""Plain random: any engine that is not full, each with the same probability."""

from __future__ import annotations

from collections.abc import Iterable
from random import Random

from ..state import Engine
from .pool import Pool


class PlainRandom:
    """See the module's text.

    Parameters
    ----------
    random : Random, optional
        Where chance comes from; by default a generator of its own.
    """

    def __init__(self, random: Random | None = None) -> None:
        self._random = random or Random()
        self._free = Pool()

    def add(self, engine: Engine) -> None:
        """An engine joined."""
        self.update(engine)

    def remove(self, engine: Engine) -> None:
        """An engine left."""
        self._free.discard(engine)

    def update(self, engine: Engine) -> None:
        """The load or the limit of an engine changed."""
        if engine.full:
            self._free.discard(engine)
        else:
            self._free.add(engine)

    def pick(self) -> Engine | None:
        """The engine for the next task; None when all are full."""
        return self._free.draw(self._random) if self._free else None

    def pick_among(self, candidates: Iterable[Engine]) -> Engine | None:
        """Like `pick`, for a task that only some engines may run."""
        free = [engine for engine in candidates if engine in self._free]
        return self._random.choice(free) if free else None
