"""Records as rows of a table, and what a query says about these. Pure.

The columns are those that the published package makes, and hold what it writes: dates as ISO 8601
texts, here always in UTC and with microseconds, so that their order is that of the texts; dicts
as JSON; buffers as a pickled list of bytes. What is not text, in a column of texts, is JSON in a
blob.
"""

from __future__ import annotations

import io
import json
import pickle
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, NoReturn

import msgspec

from .matching import Query, is_plain_text, zoned
from .record import BUFFER_FIELDS, FIELDS

DATES = frozenset(("submitted", "started", "completed", "received"))
DICTS = frozenset(
    ("header", "metadata", "content", "result_header", "result_metadata", "result_content")
)
#: Dicts of which parts are dates, and which parts these are.
DATED = {
    "header": ("date",),
    "metadata": ("date", "started", "submitted"),
    "result_header": ("date",),
    "result_metadata": ("date", "started", "submitted"),
}

_PICKLE_PROTOCOL = 5

#: Operators as SQL, and what becomes of those where the operand is NULL.
operators = {
    "$eq": "=",
    "$ne": "!=",
    "$lt": "<",
    "$lte": "<=",
    "$le": "<=",
    "$gt": ">",
    "$gte": ">=",
}
null_operators = {"=": "IS NULL", "!=": "IS NOT NULL"}


def declaration(column: str) -> str:
    """A column as a statement that creates a table says it."""
    if column == "msg_id":
        return "msg_id text PRIMARY KEY"
    if column in DICTS:
        return f"{column} dict text"
    if column in BUFFER_FIELDS:
        return f"{column} bufs blob"
    if column in DATES:
        return f"{column} timestamp"
    return f"{column} text"


# ---- values


def encoded(column: str, value: Any) -> str | bytes | None:
    """A value as a column holds it."""
    if value is None:
        return None
    if column in BUFFER_FIELDS:
        return pickle.dumps([bytes(buffer) for buffer in value], _PICKLE_PROTOCOL)
    if column in DICTS:
        return _json(value)
    if column in DATES and isinstance(value, datetime):
        return date_text(value)
    if is_plain_text(value):
        return value
    return _json(value).encode()


def decoded(column: str, value: Any) -> Any:
    """What a column holds, as a record says it."""
    if value is None:
        return None
    if column in BUFFER_FIELDS:
        return _BuffersUnpickler(io.BytesIO(value)).load()
    if column in DICTS:
        return _with_dates(json_value(value), DATED.get(column, ()))
    if isinstance(value, bytes):
        return json_value(value)
    return _date(value) if column in DATES else value


def date_text(date: datetime) -> str:
    """A date, in UTC, with microseconds."""
    return date.astimezone(UTC).isoformat(timespec="microseconds")


def json_value(text: str | bytes) -> Any:
    """What JSON says."""
    try:
        return msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeError):  # what the standard library alone writes and reads
        return json.loads(text)


def _json(value: Any) -> str:
    try:
        return _encoder.encode(value).decode()
    except (UnicodeError, TypeError):  # halves of surrogate pairs, and keys that are not texts
        return json.dumps(value, default=_plain, skipkeys=True)


def _plain(value: Any) -> Any:
    """Something that JSON can say, instead of something that it cannot."""
    if isinstance(value, datetime):
        return date_text(value)
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, (set, frozenset)):
        return list(value)
    return repr(value)


_encoder = msgspec.json.Encoder(enc_hook=_plain)


def _date(value: Any) -> Any:
    try:
        return zoned(datetime.fromisoformat(value))
    except (TypeError, ValueError):
        return value


def _with_dates(value: Any, parts: Iterable[str]) -> Any:
    if isinstance(value, dict):
        for part in parts:
            if part in value:
                value[part] = _date(value[part])
    return value


class _BuffersUnpickler(pickle.Unpickler):
    """Reads lists of bytes, and nothing that would run code."""

    def find_class(self, module: str, name: str) -> NoReturn:
        raise pickle.UnpicklingError(f"buffers of a task hold {module}.{name}, not only bytes")


# ---- queries


@dataclass(slots=True)
class Condition:
    """What SQL can say of a query.

    Rows that match the query meet it. `exact`: and no others do.
    """

    sql: str
    operands: list[str]
    exact: bool


def condition_of(query: Query) -> Condition:
    """As much of a query as SQL can say."""
    clauses: list[str] = []
    operands: list[str] = []
    exact = True
    for path, wanted in query.conditions.items():
        for operator, operand in wanted.conditions.items():
            known = _clause(path, operator, operand)
            if known is None:
                exact = False
                continue
            clause, values, clause_exact = known
            clauses.append(f"({clause})")
            operands.extend(values)
            exact = exact and clause_exact
    return Condition(" AND ".join(clauses) or "1", operands, exact)


def _clause(column: str, operator: str, operand: Any) -> tuple[str, list[str], bool] | None:
    if column not in FIELDS:  # something in a dict
        return None
    if operator == "$exists":
        return f"{column} {null_operators['!=' if operand else '=']}", [], True
    if operator in operators and operand is None:
        return _null_clause(column, operators[operator])
    if column in DATES:
        return _date_clause(column, operator, operand)
    if column in DICTS or column in BUFFER_FIELDS:
        return None
    return _text_clause(column, operator, operand)


def _null_clause(column: str, operator: str) -> tuple[str, list[str], bool]:
    if operator in null_operators:
        return f"{column} {null_operators[operator]}", [], True
    return "0", [], True  # nothing is less or greater than nothing


def _date_clause(column: str, operator: str, operand: Any) -> tuple[str, list[str], bool] | None:
    """To the second: those who wrote the table may have left out what is less."""
    if not isinstance(operand, datetime):
        return None
    second = date_text(operand)[:19]
    match operator:
        case "$eq":
            return f"{column} BETWEEN ? AND ?", [second, second + "~"], False
        case "$lt" | "$lte" | "$le":
            return f"{column} <= ?", [second + "~"], False
        case "$gt" | "$gte":
            return f"{column} >= ?", [second], False
    return None


def _text_clause(column: str, operator: str, operand: Any) -> tuple[str, list[str], bool] | None:
    if operator == "$in" and all(map(is_plain_text, operand)):
        choice = f"{column} IN (SELECT value FROM json_each(?))"
        return choice, [json.dumps(operand, ensure_ascii=False)], True
    if not is_plain_text(operand):
        return None
    if operator == "$glob":
        prefix = re.split(r"[*?\[]", operand, maxsplit=1)[0]
        return f"{column} GLOB ?", [prefix + "*"], False
    if operator == "$ne":
        return f"{column} IS NOT ?", [operand], True
    if operator in operators:
        # blobs are greater than any text: what is no text is compared elsewhere
        return f"{column} {operators[operator]} ?", [operand], operator == "$eq"
    return None
