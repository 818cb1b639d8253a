"""What a record says of a task, and why there may be none. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

#: What a record says of a task, in the order of the columns of tables.
FIELDS = (
    "msg_id",
    "header",
    "metadata",
    "content",
    "buffers",
    "submitted",
    "client_uuid",
    "engine_uuid",
    "started",
    "completed",
    "resubmitted",
    "received",
    "result_header",
    "result_metadata",
    "result_content",
    "result_buffers",
    "queue",
    "execute_input",
    "execute_result",
    "error",
    "stdout",
    "stderr",
    "label",
)

#: Lists of bytes, which are left out of what a query finds unless they are asked for by name.
BUFFER_FIELDS = frozenset(("buffers", "result_buffers"))

_OVERHEAD = 64  # bytes of a Python object, about


class RecordError(KeyError):
    """A record is not there; the text says why."""

    def __str__(self) -> str:
        return str(self.args[0]) if self.args else ""


class UnknownRecord(RecordError):
    """No record of that task was ever seen, or it was dropped on request."""

    def __init__(self, msg_id: str) -> None:
        super().__init__(f"No such message: {msg_id!r}")


class CulledRecord(RecordError):
    """There was a record of that task, and a limit has pushed it out.

    Parameters
    ----------
    msg_id : str
        Which.
    limit : str
        Which limit of which database, and its value.
    """

    def __init__(self, msg_id: str, limit: str) -> None:
        super().__init__(
            f"The record of {msg_id!r} has been culled for size: {limit} was exceeded. Raise this"
            " limit of the controller to keep results for longer."
        )


class NoData(RecordError):
    """The controller keeps no records."""

    def __init__(self) -> None:
        super().__init__(
            "The controller keeps no records of tasks (NoDB). Start it with a database: --dictdb,"
            " --sqlitedb or --mongodb."
        )


def empty_record() -> dict[str, Any]:
    """A record that says nothing yet."""
    record: dict[str, Any] = dict.fromkeys(FIELDS)
    record["stdout"] = record["stderr"] = ""
    return record


def ends(rec: Mapping[str, Any]) -> bool:
    """Whether what is written of a record says that its task has ended."""
    # a mapping that decodes its fields may know without doing so
    known = getattr(rec, "has_ended", None)
    return rec.get("completed") is not None if known is None else bool(known)


def copied(value: Any) -> Any:
    """A copy of which nothing can be changed through the original; bytes are shared."""
    if isinstance(value, dict):
        return {key: copied(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [copied(item) for item in value]
    return value


def size_of(record: Mapping[str, Any]) -> int:
    """Bytes of memory that a record, or a part of one, holds."""
    try:
        return int(record.nbytes)  # type: ignore[attr-defined]
    except AttributeError:
        return _size(record)


def _size(value: Any) -> int:
    if isinstance(value, (str, bytes)):
        return _OVERHEAD + len(value)
    if isinstance(value, Mapping):
        return _OVERHEAD + sum(_size(item) for pair in value.items() for item in pair)
    if isinstance(value, Sequence) and not isinstance(value, memoryview):
        return _OVERHEAD + sum(map(_size, value))
    return _OVERHEAD + int(getattr(value, "nbytes", 0))
