"""Which troubles there are, and a random sequence of them."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import NamedTuple

#: Each with how often it comes in a round.
KINDS = {
    "kill an engine": 5,
    "kill an agent": 1,
    "kill a supervisor": 1,
    "kill a host": 1,
    "kill a client": 2,
    "pause an engine": 4,
    "pause an agent": 2,
    "pause a supervisor": 1,
    "pause a client": 1,
    "pause the controller": 1,
    "freeze the engines' link": 2,
    "freeze the clients' link": 2,
    "drop the engines' link": 2,
    "drop the clients' link": 2,
}

#: What comes in addition where a controller that dies is started again.
RESTORED = {"kill the controller": 2}

#: Seconds between one trouble and the next: from, to.
_BETWEEN = (0.2, 1.0)

#: Seconds that something that passes lasts: from, to. Less than hearts may be silent.
_LASTS = (0.2, 2.5)


class Trouble(NamedTuple):
    """Something that goes wrong."""

    #: Seconds after the beginning.
    at: float
    kind: str
    #: From 0 to 1: which of those that it may hit.
    which: float
    #: Seconds, if it passes.
    lasts: float


def sequence(seed: int, seconds: float, *, restore: bool = False) -> Iterator[Trouble]:
    """What goes wrong in so many seconds: rounds of all kinds, each round in an order of its own.

    It is always the same for the same seed.

    Parameters
    ----------
    restore : bool
        Whether a controller that dies is started again.
    """
    counts = {**KINDS, **RESTORED} if restore else KINDS
    rng = random.Random(seed)
    at = 0.0
    while True:
        for kind in rng.sample(list(counts), counts=counts.values(), k=sum(counts.values())):
            at += rng.uniform(*_BETWEEN)
            if at >= seconds:
                return
            yield Trouble(at, kind, rng.random(), rng.uniform(*_LASTS))
