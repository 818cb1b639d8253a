"""How many direct tasks each engine has to do, as seen from the traffic that passes by."""

from __future__ import annotations

from collections import Counter

#: So many engines that are gone are known as such, those that went last.
_MAX_GONE = 1000


class DirectQueues:
    """Tasks on their way to engines, by engine."""

    def __init__(self) -> None:
        self._pending: dict[str, dict[str, None]] = {}
        self._completed: Counter[str] = Counter()
        #: Engines that are gone; their sockets may live on for a while and take requests.
        self._gone: dict[str, None] = {}

    def requested(self, uuid: str, msg_id: str) -> None:
        """A request passed to an engine; it does not count if that is gone."""
        if uuid not in self._gone:
            self._pending.setdefault(uuid, {})[msg_id] = None

    def replied(self, uuid: str, msg_id: str) -> None:
        """A reply of an engine passed."""
        pending = self._pending.get(uuid)
        if pending is not None and msg_id in pending:
            del pending[msg_id]
            self._completed[uuid] += 1

    def forget(self, uuid: str) -> list[str]:
        """An engine is gone: the tasks that it leaves behind."""
        left = list(self._pending.pop(uuid, ()))
        self._completed.pop(uuid, None)
        self._gone[uuid] = None
        if len(self._gone) > _MAX_GONE:
            del self._gone[next(iter(self._gone))]
        return left

    def summary(self) -> dict[str, tuple[list[str], int]]:
        """By engine: the tasks that it has not answered, and how many it has."""
        return {
            uuid: (list(self._pending.get(uuid, ())), self._completed[uuid])
            for uuid in self._pending.keys() | self._completed.keys()
        }
