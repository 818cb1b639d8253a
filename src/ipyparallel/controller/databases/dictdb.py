"""The default database: in memory, bounded.

Writing is on the hub's way for each task, so records are kept as they come, as a list of parts,
and put together when somebody reads them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import fields
from datetime import datetime
from itertools import count
from typing import Any

from traitlets import Float, Integer

from .base import TaskDatabase
from .culling import Culled, Limits, Retention
from .matching import Query, wanted_keys, zoned
from .record import CulledRecord, UnknownRecord, copied, empty_record, ends, size_of

_BLANK = empty_record()
_UNCHANGED = object()
_LIMITS = [field.name for field in fields(Limits)]


class _Record:
    """What is known of a task: the parts that were written; later ones hold before earlier ones."""

    __slots__ = ("msg_id", "nbytes", "number", "parts", "pending", "reached")

    def __init__(self, msg_id: str, number: int, first: Mapping[str, Any]) -> None:
        self.msg_id = msg_id
        self.number = number
        self.parts = [first]
        self.nbytes = size_of(first)
        self.pending = True
        #: Whether its result has reached who asked for it.
        self.reached = False

    def append(self, part: Mapping[str, Any]) -> int:
        """Set some fields; returns by how many bytes this made it larger."""
        last = self.parts[-1]
        if isinstance(part, dict) and isinstance(last, dict):
            before = {field: last[field] for field in part if field in last}
            growth = size_of(part) - size_of(before)
            last.update(part)
        else:
            self.parts.append(part)
            growth = size_of(part)
        self.nbytes += growth
        return growth

    def known(self, fields: Iterable[str]) -> dict[str, Any]:
        """Some fields; what they hold is the record's own."""
        return {field: self._field(field) for field in fields}

    def _field(self, field: str) -> Any:
        if field == "msg_id":
            return self.msg_id
        for part in reversed(self.parts):
            if field in part:
                return part[field]
        return _BLANK[field]

    def read(self) -> dict[str, Any]:
        """All of it, as a dict of the reader's own."""
        record = dict(_BLANK)
        for part in self.parts:
            record.update(part)
        record["msg_id"] = self.msg_id
        return {field: copied(value) for field, value in record.items()}

    def order(self) -> tuple[bool, Any, int]:
        """Sorts records by when they were submitted, those first of which this is not known."""
        submitted = zoned(self._field("submitted"))
        known = isinstance(submitted, datetime)
        return known, submitted if known else None, self.number


class DictDB(TaskDatabase):
    """Records in memory, the default.

    Pending records stay. Of those that have ended, the ones whose results were fetched may make
    room for others soon, the others stay for long. A limit that is exceeded is undercut by
    `cull_fraction`, so that it is not met again by the next record.
    """

    record_limit = Integer(
        1024, min=0, help="Most records of tasks that have ended and whose results were fetched."
    ).tag(config=True)
    fetched_size_limit = Integer(
        8 << 20, min=0, help="Most bytes of records whose results were fetched."
    ).tag(config=True)
    unfetched_record_limit = Integer(
        100_000,
        min=0,
        help="Most records of tasks that have ended and whose results nobody has fetched yet.",
    ).tag(config=True)
    size_limit = Integer(
        1 << 30,
        min=0,
        help="Most bytes of records of tasks that have ended. Those that were fetched go first.",
    ).tag(config=True)
    cull_fraction = Float(
        0.1, min=0.0, max=1.0, help="By how much a limit that was exceeded is undercut then."
    ).tag(config=True)

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._records: dict[str, _Record] = {}
        self._numbers = count()
        self._culled = Culled()
        self._retention = Retention(self._limits())
        self.observe(self._limits_changed, _LIMITS)

    def _limits(self) -> Limits:
        values = {name: getattr(self, name) for name in _LIMITS}
        #: What is told of each to those who ask for what it has pushed out.
        self._whys = {name: f"DictDB.{name} = {value:,}" for name, value in values.items()}
        return Limits(**values)

    def _limits_changed(self, change: Any) -> None:
        self._retention.limits = self._limits()
        self._cull()

    # ---- writing

    def add_record(self, msg_id: str, rec: Mapping[str, Any]) -> None:
        """See `TaskDatabase`."""
        if msg_id in self._records:
            self._remove(msg_id)
        record = self._records[msg_id] = _Record(msg_id, next(self._numbers), _kept(rec))
        if ends(rec):
            self._end(record)

    def update_record(self, msg_id: str, rec: Mapping[str, Any]) -> None:
        """See `TaskDatabase`."""
        record = self._records.get(msg_id)
        if record is None:
            raise self._missing(msg_id)
        growth = record.append(_kept(rec))
        if not record.pending:
            self._retention.grow(msg_id, growth)
            if rec.get("completed", _UNCHANGED) is None:
                record.pending = True
                self._retention.remove(msg_id)
            self._cull()
        elif ends(rec):
            self._end(record)

    def fetched(self, msg_ids: Iterable[str]) -> None:
        """See `TaskDatabase`."""
        for msg_id in msg_ids:
            if (record := self._records.get(msg_id)) is not None:
                # it may be pending, if the news that it has ended are still on their way
                record.reached = True
                self._retention.fetched(msg_id)
        self._cull()

    def drop_record(self, msg_id: str) -> None:
        """See `TaskDatabase`."""
        if msg_id not in self._records:
            raise self._missing(msg_id)
        self._remove(msg_id)

    def drop_matching_records(self, query: Mapping[str, Any]) -> None:
        """See `TaskDatabase`."""
        for record in list(self._matching(Query(query))):
            self._remove(record.msg_id)

    # ---- reading

    def get_record(self, msg_id: str) -> dict[str, Any]:
        """See `TaskDatabase`."""
        record = self._records.get(msg_id)
        if record is None:
            raise self._missing(msg_id)
        return record.read()

    def find_records(
        self, query: Mapping[str, Any], keys: Iterable[str] | None = None
    ) -> list[dict[str, Any]]:
        """See `TaskDatabase`."""
        wanted = wanted_keys(keys)
        found = sorted(self._matching(Query(query)), key=_Record.order)
        return [copied(record.known(wanted)) for record in found]

    def get_history(self) -> list[str]:
        """See `TaskDatabase`."""
        return [record.msg_id for record in sorted(self._records.values(), key=_Record.order)]

    def _matching(self, query: Query) -> Iterator[_Record]:
        candidates: Iterable[_Record] = self._records.values()
        if (ids := query.msg_ids()) is not None:
            candidates = [self._records[msg_id] for msg_id in set(ids) if msg_id in self._records]
        needed = query.fields
        return (record for record in candidates if query.matches(record.known(needed)))

    # ---- room

    def _missing(self, msg_id: str) -> UnknownRecord | CulledRecord:
        limit = self._culled.why(msg_id)
        return UnknownRecord(msg_id) if limit is None else CulledRecord(msg_id, limit)

    def _end(self, record: _Record) -> None:
        """A record is not pending any more."""
        record.pending = False
        self._retention.add(record.msg_id, record.nbytes, fetched=record.reached)
        self._cull()

    def _remove(self, msg_id: str) -> None:
        del self._records[msg_id]
        self._retention.remove(msg_id)

    def _cull(self) -> None:
        """Keep the limits."""
        for msg_id, limit in self._retention.excess():
            del self._records[msg_id]
            self._culled.add(msg_id, self._whys[limit])


def _kept(rec: Mapping[str, Any]) -> Mapping[str, Any]:
    return copied(rec) if isinstance(rec, dict) else rec
