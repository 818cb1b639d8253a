"""Dates with a time zone, and texts of them."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any

#: The zone that all dates of messages are in.
utc = UTC

#: A format for `datetime.strftime`.
ISO8601 = "%Y-%m-%dT%H:%M:%S.%f"

_DATE = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d{1,6})?(Z|[+-]\d{2}:?\d{2})?")


def utcnow() -> datetime:
    """Now, in UTC, and saying so."""
    return datetime.now(UTC)


def ensure_timezone(dt: datetime) -> datetime:
    """`dt`, in local time if it says nothing of a zone."""
    return dt if dt.tzinfo is not None else dt.astimezone()


_ensure_tzinfo = ensure_timezone


def _parse_date(s: Any) -> Any:
    """The date that an ISO 8601 text tells; anything else as it is."""
    if isinstance(s, str) and _DATE.fullmatch(s):
        return ensure_timezone(datetime.fromisoformat(s))
    return s


def extract_dates(obj: Any) -> Any:
    """`obj`, with dates instead of the texts of dates in it, however deep in dicts and lists."""
    if isinstance(obj, dict):
        return {key: extract_dates(value) for key, value in obj.items()}
    if isinstance(obj, (list, tuple)):
        return [extract_dates(item) for item in obj]
    return _parse_date(obj)


def compare_datetimes(a: datetime, b: datetime) -> timedelta:
    """`a` - `b`, where either may lack a zone, and is in local time then."""
    return ensure_timezone(a) - ensure_timezone(b)
