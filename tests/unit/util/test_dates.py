"""Dates and texts of dates."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from ipyparallel.util import (
    ISO8601,
    _parse_date,
    compare_datetimes,
    ensure_timezone,
    extract_dates,
    utc,
    utcnow,
)

DATE = datetime(2020, 1, 2, 3, 4, 5, tzinfo=UTC)


def test_now_says_its_zone():
    assert utcnow().utcoffset() == timedelta(0)
    assert utc.utcoffset(None) == timedelta(0)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2020-01-02T03:04:05Z", DATE),
        ("2020-01-02T03:04:05.25+00:00", DATE + timedelta(seconds=0.25)),
        ("2020-01-02T05:04:05+0200", DATE),
        ("2020-01-02T03:04:05", DATE.replace(tzinfo=None).astimezone()),
    ],
)
def test_texts_of_dates(text, expected):
    assert _parse_date(text) == expected
    assert _parse_date(text).tzinfo is not None


def test_our_format_is_read():
    assert _parse_date(DATE.strftime(ISO8601) + "Z") == DATE


@pytest.mark.parametrize("other", ["", "2020-01-02", "2020-01-02T03:04:05Z!", 5, None, DATE, "no"])
def test_anything_else_stays(other):
    assert _parse_date(other) is other


def test_dates_are_found_however_deep():
    obj = {"a": "2020-01-02T03:04:05Z", "b": [1, ("2020-01-02T03:04:05Z", {"c": "x"})]}
    assert extract_dates(obj) == {"a": DATE, "b": [1, [DATE, {"c": "x"}]]}
    assert extract_dates("2020-01-02T03:04:05Z") == DATE


def test_dates_without_a_zone_are_local():
    naive = datetime(2020, 1, 2)
    assert ensure_timezone(naive) == naive.astimezone()
    assert ensure_timezone(DATE) is DATE
    assert compare_datetimes(naive, naive.astimezone(timezone(timedelta(hours=5)))) == timedelta(0)
    assert compare_datetimes(DATE + timedelta(days=1), DATE) == timedelta(days=1)
