"""The rules by which a free engine is chosen, one a file."""

from __future__ import annotations

from collections.abc import Callable

from .leastload import LeastLoad
from .lru import LRU
from .plainrandom import PlainRandom
from .protocol import Policy
from .twobin import TwoBin
from .weighted import Weighted

#: By the name given to ``--scheme``.
POLICIES: dict[str, Callable[[], Policy]] = {
    "leastload": LeastLoad,
    "lru": LRU,
    "plainrandom": PlainRandom,
    "twobin": TwoBin,
    "weighted": Weighted,
}

__all__ = ["LRU", "POLICIES", "LeastLoad", "PlainRandom", "Policy", "TwoBin", "Weighted"]
