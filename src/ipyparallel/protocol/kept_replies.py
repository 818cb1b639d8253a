"""The last replies of an engine, to be sent once more if the connection broke under them.

The engine keeps them itself; and the scheduler those whose tasks it does not know, but may get to
know after it was started again.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

#: Bytes of replies that are kept in all. As much as is in a connection, sent and not received; a
#: reply that is larger, or that had to be copied for longer than it takes to send it, is not.
MAX_BYTES = 4 << 20

#: Seconds for which a reply is kept: as long as a connection may be silent before it breaks, and
#: some more.
MAX_AGE = 180.0

#: Bytes that a kept reply costs beside its frames.
_OVERHEAD = 400


class KeptReplies:
    """See the module's text.

    Parameters
    ----------
    max_bytes, max_age : float
        See `MAX_BYTES` and `MAX_AGE`.
    now : callable
        The clock, in seconds.
    """

    __slots__ = ("_bytes", "_max_age", "_max_bytes", "_now", "_replies")

    def __init__(
        self,
        max_bytes: int = MAX_BYTES,
        max_age: float = MAX_AGE,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._max_bytes = max_bytes
        self._max_age = max_age
        self._now = now
        #: By the request's name: when it was sent, its size, its frames.
        self._replies: OrderedDict[str, tuple[float, int, list[Any]]] = OrderedDict()
        self._bytes = 0

    def keep(self, name: str, frames: list[Any]) -> None:
        """A reply is about to be sent."""
        size = sum(map(len, frames)) + _OVERHEAD
        now = self._now()
        replies = self._replies
        self.take(name)
        if size <= self._max_bytes:
            if len(frames) > 2:
                # what a buffer refers to is the user's, who may change it as soon as it was sent
                frames = [f if type(f) is bytes else bytes(f) for f in frames]
            replies[name] = (now, size, frames)
            self._bytes += size
        while self._bytes > self._max_bytes or (
            replies and now - next(iter(replies.values()))[0] > self._max_age
        ):
            self._bytes -= replies.popitem(last=False)[1][1]

    def take(self, name: str) -> list[Any] | None:
        """The frames of the reply to this request, if it is kept; it is not any more."""
        kept = self._replies.pop(name, None)
        if kept is None:
            return None
        self._bytes -= kept[1]
        return kept[2]

    def names(self) -> list[str]:
        """The requests whose replies are kept; from any thread."""
        return list(self._replies)

    def get(self, name: str) -> list[Any] | None:
        """The frames of the reply to this request, if it is kept."""
        kept = self._replies.get(name)
        return kept[2] if kept is not None else None

    def sent_before(self, when: float) -> list[list[Any]]:
        """The replies that were kept by then, by the clock, oldest first."""
        return [frames for sent, _, frames in self._replies.values() if sent < when]
