"""Records in MongoDB, written in batches, behind the hub's back."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from traitlets import Dict, List, Unicode

from .base import TaskDatabase
from .matching import CompositeFilter, Query, is_plain_text, wanted_keys
from .record import BUFFER_FIELDS, FIELDS, UnknownRecord, empty_record
from .writer import BatchWriter, Change

if TYPE_CHECKING:
    from pymongo.collection import Collection

#: Bytes of a document that MongoDB takes, less some for names and what is in the record already.
_LARGEST = (16 << 20) - (1 << 16)

_ORDER = [("submitted", 1), ("_id", 1)]

_ORDERED = frozenset(("$lt", "$lte", "$le", "$gt", "$gte"))


class MongoDB(TaskDatabase):
    """Records in a collection of MongoDB, which outlives the controller.

    Dates have milliseconds there. A document holds up to 16 MB: buffers for which there is no
    room are left out, and this is logged.

    Raises
    ------
    ValueError
        pymongo is not installed, or no server answers.
    """

    connection_args: List[Any] = List(
        help="Positional arguments of pymongo.MongoClient, such as the URL of the server."
    ).tag(config=True)
    connection_kwargs: Dict[str, Any] = Dict(
        help="Keyword arguments of pymongo.MongoClient, such as `host` and `port`."
    ).tag(config=True)
    database = Unicode("ipython-tasks", help="The name of the database.").tag(config=True)
    collection = Unicode("task_records", help="The name of the collection.").tag(config=True)

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        try:
            import pymongo
            from bson.codec_options import CodecOptions
            from pymongo.errors import PyMongoError
        except ImportError as e:
            raise ValueError(
                "records of tasks in MongoDB need pymongo: pip install 'ipyparallel[mongodb]'"
            ) from e
        options: CodecOptions[dict[str, Any]] = CodecOptions(tz_aware=True, tzinfo=UTC)
        self._client: Any = None
        try:
            self._client = pymongo.MongoClient(*self.connection_args, **self.connection_kwargs)
            database = self._client[self.database]
            self._records: Collection[dict[str, Any]] = database.get_collection(
                self.collection, codec_options=options
            )
            self._records.create_index("msg_id", unique=True)
            self._records.create_index("submitted")
        except PyMongoError as e:
            if self._client is not None:
                self._client.close()
            raise ValueError(f"cannot keep records of tasks in MongoDB: {e}") from e
        self._writer = BatchWriter(self._write, "MongoDB", self.log)

    def close(self) -> None:
        """Write what is to be written, and disconnect."""
        self._writer.close()
        self._client.close()

    # ---- writing

    def add_record(self, msg_id: str, rec: Mapping[str, Any]) -> None:
        """See `TaskDatabase`."""
        self._writer.put(msg_id, rec, new=True)

    def update_record(self, msg_id: str, rec: Mapping[str, Any]) -> None:
        """See `TaskDatabase`. An update of what is not there is ignored."""
        self._writer.put(msg_id, rec, new=False)

    def drop_record(self, msg_id: str) -> None:
        """See `TaskDatabase`."""
        self._writer.flush()
        if not self._records.delete_one({"msg_id": msg_id}).deleted_count:
            raise UnknownRecord(msg_id)

    def drop_matching_records(self, query: Mapping[str, Any]) -> None:
        """See `TaskDatabase`."""
        found = [record["msg_id"] for record in self.find_records(query, ["msg_id"])]
        for start in range(0, len(found), 10_000):
            self._records.delete_many({"msg_id": {"$in": found[start : start + 10_000]}})

    def _write(self, changes: list[Change]) -> None:
        """On the writer's thread."""
        from pymongo.errors import BulkWriteError

        steps = [step for change in changes for step in self._steps(change)]
        while steps:
            try:
                self._records.bulk_write([operation for operation, _ in steps], ordered=True)
            except BulkWriteError as e:
                errors = e.details["writeErrors"]
                if not errors:
                    raise
                _, change = steps[errors[0]["index"]]
                why = errors[0].get("errmsg", "no reason given")
                self.log.error("MongoDB refuses the record of %s: %s", change.msg_id, why)
                steps = steps[errors[0]["index"] + 1 :]
                if bare := without_buffers(change):  # they may be too large for the document
                    steps[:0] = self._steps(bare)
            else:
                break

    def _steps(self, change: Change) -> list[tuple[Any, Change]]:
        """What is to be done for a change, and the change beside each."""
        from pymongo import DeleteOne, InsertOne, UpdateOne

        try:
            fields = document(change.fields)
        except Exception:
            self.log.exception("The record of %s cannot be stored", change.msg_id)
            return []
        if fields is None:
            self.log.warning(
                "The record of %s does not fit into MongoDB: it is kept without its buffers",
                change.msg_id,
            )
            bare = without_buffers(change)
            return self._steps(bare) if bare else []
        this = {"msg_id": change.msg_id}
        if change.new:
            insert = InsertOne({**empty_record(), **fields, **this})
            return [(DeleteOne(this), change), (insert, change)]
        return [(UpdateOne(this, {"$set": {**fields, **this}}), change)]

    # ---- reading

    def get_record(self, msg_id: str) -> dict[str, Any]:
        """See `TaskDatabase`."""
        self._writer.flush()
        found = self._records.find_one({"msg_id": msg_id})
        if found is None:
            raise UnknownRecord(msg_id)
        return {**empty_record(), **_record(found)}

    def find_records(
        self, query: Mapping[str, Any], keys: Iterable[str] | None = None
    ) -> list[dict[str, Any]]:
        """See `TaskDatabase`."""
        checked = Query(query)
        wanted = wanted_keys(keys)
        exact = Query(
            {path: _rounded(wish.conditions) for path, wish in checked.conditions.items()}
        )
        self._writer.flush()
        found = self._records.find(
            narrowed(checked), dict.fromkeys([*wanted, *checked.fields], 1), sort=_ORDER
        )
        blank = empty_record()
        return [
            {field: record.get(field, blank[field]) for field in wanted}
            for record in map(_record, found)
            if exact.matches(record)
        ]

    def get_history(self) -> list[str]:
        """See `TaskDatabase`."""
        self._writer.flush()
        return [found["msg_id"] for found in self._records.find({}, {"msg_id": 1}, sort=_ORDER)]


def document(fields: Mapping[str, Any]) -> dict[str, Any] | None:
    """Fields of a record as MongoDB takes them; None if they are too large for it."""
    import bson

    taken = {
        field: [bytes(buffer) for buffer in value] if field in BUFFER_FIELDS and value else value
        for field, value in fields.items()
        if field in FIELDS
    }
    # what cannot be said in BSON raises here, where it concerns this record alone
    return taken if len(bson.encode(taken)) <= _LARGEST else None


def without_buffers(change: Change) -> Change | None:
    """A change that sets no buffers; None if it set none before."""
    if not any(change.fields.get(field) for field in BUFFER_FIELDS):
        return None
    cleared = dict.fromkeys(BUFFER_FIELDS & change.fields.keys())
    return Change(change.msg_id, change.new, {**change.fields, **cleared})


def narrowed(query: Query) -> dict[str, Any]:
    """What MongoDB can say of a query in the way we mean it; all that match meet it."""
    conditions: list[dict[str, Any]] = []
    for path, wanted in query.conditions.items():
        if path in FIELDS:
            known = _narrowed(wanted)
            conditions += [{path: {name: operand}} for name, operand in known]
    return {"$and": conditions} if conditions else {}


def _narrowed(wanted: CompositeFilter) -> Iterable[tuple[str, Any]]:
    for name, operand in wanted.conditions.items():
        if name == "$glob" and is_plain_text(operand):
            yield "$regex", f"^{_regex_prefix(operand)}"
        elif name == "$exists":
            yield "$ne" if operand else "$eq", None
        elif (name in ("$eq", "$ne") and operand is None) or (
            (name == "$eq" or name in _ORDERED)
            and (isinstance(operand, datetime) or is_plain_text(operand))
        ):
            yield "$lte" if name == "$le" else name, operand
        elif name == "$in" and all(map(is_plain_text, operand)):
            yield name, operand


def _regex_prefix(pattern: str) -> str:
    return re.escape(re.split(r"[*?\[]", pattern, maxsplit=1)[0])


def _rounded(value: Any) -> Any:
    """`value`, with dates as MongoDB keeps them."""
    if isinstance(value, datetime):
        return value.replace(microsecond=value.microsecond // 1000 * 1000)
    if isinstance(value, Mapping):
        return {key: _rounded(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_rounded(item) for item in value]
    return value


def _record(found: Mapping[str, Any]) -> dict[str, Any]:
    return {field: value for field, value in found.items() if field != "_id"}
