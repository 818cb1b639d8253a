"""Weighted: two draws, in which an engine with less to do is the more likely; the less loaded wins.

An engine that is not full is drawn with a weight of one over its load, and idle ones practically
always. Engines of the same load stand in one pool, so that a draw costs as much as there are
different loads, however many engines there are.
"""

from __future__ import annotations

from collections.abc import Iterable
from random import Random

from ..state import Engine
from .pool import Pool

#: Added to a load, so that one over it is a number for idle engines, too.
_EPSILON = 1e-6


class Weighted:
    """See the module's text.

    Parameters
    ----------
    random : Random, optional
        Where chance comes from; by default a generator of its own.
    """

    def __init__(self, random: Random | None = None) -> None:
        self._random = random or Random()
        #: The engines that are not full, by load. No pool is empty.
        self._pools: dict[int, Pool] = {}
        #: Of the same engines, the load by which they are in a pool.
        self._load: dict[Engine, int] = {}

    def add(self, engine: Engine) -> None:
        """An engine joined."""
        self.update(engine)

    def remove(self, engine: Engine) -> None:
        """An engine left."""
        load = self._load.pop(engine, None)
        if load is not None:
            pool = self._pools[load]
            pool.discard(engine)
            if not pool:
                del self._pools[load]

    def update(self, engine: Engine) -> None:
        """The load or the limit of an engine changed."""
        load = None if engine.full else engine.load
        if self._load.get(engine) == load:
            return
        self.remove(engine)
        if load is not None:
            self._load[engine] = load
            self._pools.setdefault(load, Pool()).add(engine)

    def pick(self) -> Engine | None:
        """The engine for the next task; None when all are full."""
        loads = list(self._pools)
        if not loads:
            return None
        weights = [len(pool) * _weight(load) for load, pool in self._pools.items()]
        load = min(self._random.choices(loads, weights, k=2))
        return self._pools[load].draw(self._random)

    def pick_among(self, candidates: Iterable[Engine]) -> Engine | None:
        """Like `pick`, for a task that only some engines may run."""
        free = [engine for engine in candidates if engine in self._load]
        if not free:
            return None
        weights = [_weight(self._load[engine]) for engine in free]
        return min(self._random.choices(free, weights, k=2), key=self._load.__getitem__)


def _weight(load: int) -> float:
    return 1 / (_EPSILON + load)
