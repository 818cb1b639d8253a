"""Queries of the hub's database as they travel, and the records that come back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from ..protocol.session import parse_date

#: Fields of a record that are moments.
_MOMENTS = ("submitted", "started", "completed", "received")

#: Fields of a record that are headers, which have a date.
_HEADERS = ("header", "result_header")


def as_query(query: Any) -> dict[str, Any]:
    """A query as JSON can say it: moments become texts, in UTC; tuples and sets become lists.

    Moments without a time zone are in this machine's.

    Raises
    ------
    TypeError
        It is no dict by names, or holds what no record holds.
    """
    if not isinstance(query, Mapping):
        raise TypeError(
            f"a query is a dict such as {{'completed': None}}, by fields of records, not {query!r}"
        )
    return {_name(field): _as_json(test, field) for field, test in query.items()}


def _name(name: Any) -> str:
    if not isinstance(name, str):
        raise TypeError(f"a query names fields and operators by texts, not {name!r}")
    return name


def _as_json(value: Any, field: str) -> Any:
    if value is None or isinstance(value, (str, int, float)):
        return value
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    if isinstance(value, Mapping):
        return {_name(name): _as_json(test, field) for name, test in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [_as_json(item, field) for item in value]
    raise TypeError(
        f"a query compares with texts, numbers, datetimes, and lists of these; for {field!r} it has"
        f" a {type(value).__name__}"
    )


def as_keys(keys: Any) -> list[str] | None:
    """The names of the fields that are wanted; None for all but the buffers.

    Raises
    ------
    TypeError
        Not such names.
    """
    if keys is None:
        return None
    if isinstance(keys, str):
        return [keys]
    if isinstance(keys, (list, tuple, set, frozenset)) and all(isinstance(k, str) for k in keys):
        return list(keys)
    raise TypeError(f"keys are names of fields of records, or None, not {keys!r}")


def read_records(content: Mapping[str, Any], buffers: Sequence[Any]) -> list[dict[str, Any]]:
    """The records in a reply, with moments in the place of their texts, and with their buffers.

    Parameters
    ----------
    content : dict
        Of the reply.
    buffers : sequence of bytes-like
        Of all records, one after the other: those of a request, if they were wanted, then those
        of its result.
    """
    records = [_with_moments(record) for record in content["records"]]
    rest = iter(buffers)
    lengths = {"buffers": content["buffer_lens"], "result_buffers": content["result_buffer_lens"]}
    for place, record in enumerate(records):
        for name, lens in lengths.items():
            if lens is not None:
                record[name] = [memoryview(next(rest)) for _ in range(lens[place])]
    return records


def _with_moments(record: dict[str, Any]) -> dict[str, Any]:
    for name in _MOMENTS:
        if record.get(name):
            record[name] = parse_date(record[name])
    for name in _HEADERS:
        header = record.get(name)
        if header and header.get("date"):
            record[name] = {**header, "date": parse_date(header["date"])}
    return record
