"""The engines a client knows of."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

_log = logging.getLogger("ipyparallel.client")


@dataclass(frozen=True, slots=True)
class EngineEvent:
    """An engine came (``register``) or went (``unregister``)."""

    event: str
    id: int
    uuid: str
    reason: str = ""


class EngineTable:
    """Ids and uuids of the engines, and a place to wait for changes. Thread-safe."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._uuids: dict[int, str] = {}
        self._by_uuid: dict[str, int] = {}
        self._ids: list[int] = []
        self._foreign: set[str] = set()
        self._versions: dict[str, dict[str, str]] = {}
        #: How often engines have come or gone: what was made of the table is out of date after.
        self.changes = 0
        self.callbacks: list[Callable[[EngineEvent], None]] = []
        #: Called after each change, and by `wake`.
        self.watchers: list[Callable[[], None]] = []

    @property
    def ids(self) -> list[int]:
        """The ids, in ascending order; a new list each time."""
        return self._ids.copy()

    def __len__(self) -> int:
        return len(self._ids)

    def uuid(self, engine_id: int) -> str:
        """The uuid of an engine; KeyError if it is not there."""
        return self._uuids[engine_id]

    def id_of(self, uuid: str) -> int | None:
        """The id of an engine; None if it is not there."""
        return self._by_uuid.get(uuid)

    @property
    def uuids(self) -> dict[int, str]:
        """Uuids by id; a new dict each time."""
        return dict(self._uuids)

    @property
    def foreign(self) -> frozenset[str]:
        """Uuids of the engines that cannot read this package's calls."""
        return frozenset(self._foreign)

    @property
    def versions(self) -> dict[int, dict[str, str]]:
        """Versions of Python and of key packages, by engine; empty for one that tells none."""
        with self._changed:
            return {i: dict(self._versions.get(self._uuids[i], {})) for i in self._ids}

    def add(
        self,
        engine_id: int,
        uuid: str,
        native: bool,
        versions: Mapping[str, str] | None = None,
    ) -> None:
        """An engine came; one that is known already is left as it is."""
        with self._changed:
            if self._uuids.get(engine_id) == uuid:
                return
            old = self._uuids.get(engine_id)
            if old is not None:  # its leaving was missed
                del self._by_uuid[old]
                self._foreign.discard(old)
                self._versions.pop(old, None)
            self._uuids[engine_id] = uuid
            self._by_uuid[uuid] = engine_id
            self._ids = sorted(self._uuids)
            if not native:
                self._foreign.add(uuid)
            if versions:
                self._versions[uuid] = dict(versions)
            self.changes += 1
            self._changed.notify_all()
        self._tell(EngineEvent("register", engine_id, uuid))

    def remove(self, engine_id: int, uuid: str, reason: str = "") -> None:
        """An engine went."""
        with self._changed:
            if self._uuids.get(engine_id) != uuid:
                return
            del self._uuids[engine_id], self._by_uuid[uuid]
            self._ids = sorted(self._uuids)
            self._foreign.discard(uuid)
            self._versions.pop(uuid, None)
            self.changes += 1
            self._changed.notify_all()
        self._tell(EngineEvent("unregister", engine_id, uuid, reason))

    def _tell(self, event: EngineEvent) -> None:
        for callback in list(self.callbacks):
            try:
                callback(event)
            except BaseException:  # noqa: BLE001  (a user's; the I/O thread must go on)
                _log.exception("A callback for engines failed")
        self._look_again()

    def wait_for(self, enough: Callable[[], bool], timeout: float | None) -> bool:
        """Wait until `enough` says so, asked after each change; whether it did in time."""
        deadline = None if timeout is None else time.monotonic() + timeout
        with self._changed:
            while not enough():
                left = None if deadline is None else deadline - time.monotonic()
                if left is not None and left <= 0:
                    return False
                self._changed.wait(left)
        return True

    def wake(self) -> None:
        """Have those who wait look again."""
        with self._changed:
            self._changed.notify_all()
        self._look_again()

    def _look_again(self) -> None:
        for look in list(self.watchers):
            look()
