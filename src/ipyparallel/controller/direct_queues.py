"""How many direct tasks each engine has to do, as seen from the traffic that passes by."""

from __future__ import annotations

from collections import Counter


class DirectQueues:
    """Tasks on their way to engines, by engine."""

    def __init__(self) -> None:
        self._pending: dict[str, dict[str, None]] = {}
        self._completed: Counter[str] = Counter()

    def requested(self, uuid: str, msg_id: str) -> None:
        """A request passed to an engine."""
        self._pending.setdefault(uuid, {})[msg_id] = None

    def replied(self, uuid: str, msg_id: str) -> None:
        """A reply of an engine passed."""
        pending = self._pending.get(uuid)
        if pending is not None and msg_id in pending:
            del pending[msg_id]
            self._completed[uuid] += 1

    def forget(self, uuid: str) -> None:
        """An engine is gone."""
        self._pending.pop(uuid, None)
        self._completed.pop(uuid, None)

    def summary(self) -> dict[str, tuple[list[str], int]]:
        """By engine: the tasks that it has not answered, and how many it has."""
        return {
            uuid: (list(self._pending.get(uuid, ())), self._completed[uuid])
            for uuid in self._pending.keys() | self._completed.keys()
        }
