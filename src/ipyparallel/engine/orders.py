"""Orders: what agents tell their supervisor about engines that are alive.

The supervisor sleeps in ``waitpid``, and nothing but the end of a child wakes it. So an order is
written down first, and then the agent kills the engine, or it ends since it was told to: the
supervisor, awake, finds what is to be done about this death. The pipe belongs to the supervisor:
what an agent has written before it died stays there.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress

import msgspec

#: Characters of a reason that are passed on. As JSON, with all that comes with it, so many are less
#: than what a pipe takes as a whole or not at all (4096 bytes).
_MAX_REASON = 600


class Replace(msgspec.Struct, tag=True):
    """This engine will be dead in a moment: start another in its place."""

    uuid: str
    #: Why, in words that complete "Engine 3 ...".
    reason: str


class Dismiss(msgspec.Struct, tag=True):
    """This engine was told to end: however it does, do not start another in its place."""

    uuid: str


Order = Replace | Dismiss

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Order).decode


class Orders:
    """The pipe from a supervisor's agents, and its two ends. Neither of them ever blocks."""

    def __init__(self) -> None:
        self._read_end, self._write_end = os.pipe()
        os.set_blocking(self._read_end, False)
        os.set_blocking(self._write_end, False)
        self._rest = b""

    @property
    def ends(self) -> tuple[int, int]:
        """Both descriptors: an engine must not hold any."""
        return self._read_end, self._write_end

    def give(self, order: Order) -> None:
        """Write an order, in an agent.

        Raises
        ------
        OSError
            Nobody reads orders (any more).
        """
        if isinstance(order, Replace) and len(order.reason) > _MAX_REASON:
            order = Replace(order.uuid, order.reason[: _MAX_REASON - 1] + "…")
        os.write(self._write_end, _encode(order) + b"\n")

    def take(self) -> Iterator[Order]:
        """What has been written since the last time, in the supervisor."""
        with suppress(BlockingIOError):
            while data := os.read(self._read_end, 1 << 16):
                *lines, self._rest = (self._rest + data).split(b"\n")
                yield from map(_decode, lines)
