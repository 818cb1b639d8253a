"""How many direct tasks each engine has to do, as seen from the traffic that passes by."""

from __future__ import annotations

from collections import Counter
from typing import NamedTuple

#: So many engines that are gone are known as such, those that went last.
_MAX_GONE = 1000


class Asked(NamedTuple):
    """What is kept of a request until it is answered: enough to answer that it is lost."""

    client: bytes
    header_frame: bytes


class DirectQueues:
    """Tasks on their way to engines, by engine."""

    def __init__(self) -> None:
        self._pending: dict[str, dict[str, Asked | None]] = {}
        self._completed: Counter[str] = Counter()
        #: Engines that are gone; their sockets may live on for a while and take requests.
        self._gone: dict[str, None] = {}

    def requested(self, uuid: str, msg_id: str, asked: Asked | None = None) -> None:
        """A request passed to an engine; it does not count if that is gone."""
        if uuid not in self._gone:
            self._pending.setdefault(uuid, {})[msg_id] = asked

    def replied(self, uuid: str, msg_id: str) -> None:
        """A reply of an engine passed."""
        pending = self._pending.get(uuid)
        if pending is not None and msg_id in pending:
            del pending[msg_id]
            self._completed[uuid] += 1

    def pending(self, uuid: str) -> list[str]:
        """The requests that an engine has not answered."""
        return list(self._pending.get(uuid, ()))

    def withdraw(self, uuid: str, msg_id: str) -> Asked | None:
        """A request will not be answered; what is kept of it."""
        return self._pending.get(uuid, {}).pop(msg_id, None)

    def forget(self, uuid: str) -> list[str]:
        """An engine is gone: the requests that it leaves behind."""
        left = list(self._pending.pop(uuid, ()))
        self._completed.pop(uuid, None)
        self._gone[uuid] = None
        if len(self._gone) > _MAX_GONE:
            del self._gone[next(iter(self._gone))]
        return left

    def is_gone(self, uuid: str) -> bool:
        """Whether an engine is known to be gone."""
        return uuid in self._gone

    def returned(self, uuid: str) -> None:
        """An engine is there again."""
        self._gone.pop(uuid, None)

    def summary(self) -> dict[str, tuple[list[str], int]]:
        """By engine: the tasks that it has not answered, and how many it has."""
        return {
            uuid: (list(self._pending.get(uuid, ())), self._completed[uuid])
            for uuid in self._pending.keys() | self._completed.keys()
        }
