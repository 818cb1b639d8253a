"""Two-bin random: two draws among the engines that are not full; of these, the one used longer ago.

Both draws may give the same engine.
"""

from __future__ import annotations

from collections.abc import Iterable
from random import Random

from ..state import Engine
from .pool import Pool
from .recency import Recency


class TwoBin:
    """See the module's text.

    Parameters
    ----------
    random : Random, optional
        Where chance comes from; by default a generator of its own.
    """

    def __init__(self, random: Random | None = None) -> None:
        self._random = random or Random()
        self._recency = Recency()
        self._free = Pool()

    def add(self, engine: Engine) -> None:
        """An engine joined."""
        self._recency.add(engine)
        self.update(engine)

    def remove(self, engine: Engine) -> None:
        """An engine left."""
        self._recency.remove(engine)
        self._free.discard(engine)

    def update(self, engine: Engine) -> None:
        """The load or the limit of an engine changed."""
        self._recency.update(engine)
        if engine.full:
            self._free.discard(engine)
        else:
            self._free.add(engine)

    def pick(self) -> Engine | None:
        """The engine for the next task; None when all are full."""
        if not self._free:
            return None
        return self._older(self._free.draw(self._random), self._free.draw(self._random))

    def pick_among(self, candidates: Iterable[Engine]) -> Engine | None:
        """Like `pick`, for a task that only some engines may run."""
        free = [engine for engine in candidates if engine in self._free]
        if not free:
            return None
        return self._older(self._random.choice(free), self._random.choice(free))

    def _older(self, one: Engine, other: Engine) -> Engine:
        return min(one, other, key=self._recency.__getitem__)
