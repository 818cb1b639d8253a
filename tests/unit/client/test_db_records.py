"""Queries as they travel, and the records that come back."""

import json
from datetime import UTC, datetime, timedelta, timezone

import pytest

from ipyparallel.client.db_records import as_keys, as_query, read_records

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
ELSEWHERE = timezone(timedelta(hours=5))


def test_moments_become_texts_in_utc():
    query = {
        "submitted": {"$gt": NOON.astimezone(ELSEWHERE), "$in": (NOON,)},
        "completed": None,
        "label": "x",
        "header.session": {"$nin": {"a"}},
        "n": {"$lt": 1.5, "$exists": True},
    }
    text = "2026-01-01T12:00:00+00:00"
    expected = {
        "submitted": {"$gt": text, "$in": [text]},
        "completed": None,
        "label": "x",
        "header.session": {"$nin": ["a"]},
        "n": {"$lt": 1.5, "$exists": True},
    }
    assert as_query(query) == expected
    assert json.loads(json.dumps(expected)) == expected
    assert as_query({}) == {}


def test_a_moment_without_a_zone_is_in_that_of_this_machine():
    here = datetime(2026, 1, 1, 12)
    (text,) = as_query({"submitted": here}).values()
    assert datetime.fromisoformat(text) == here.astimezone()
    assert text.endswith("+00:00")


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("msg_id", "a query is a dict"),
        (None, "a query is a dict"),
        ([{"msg_id": 1}], "a query is a dict"),
        ({1: 2}, "by texts, not 1"),
        ({"a": {None: 2}}, "by texts, not None"),
        ({"a": {"$in": [1j]}}, "for 'a' it has a complex"),
        ({"buffers": b"x"}, "for 'buffers' it has a bytes"),
    ],
    ids=str,
)
def test_other_queries_are_refused(query, said):
    with pytest.raises(TypeError, match=said):
        as_query(query)


def test_keys_are_names():
    assert as_keys(None) is None
    assert as_keys("label") == ["label"]
    assert as_keys(("label", "queue")) == ["label", "queue"]
    assert as_keys([]) == []
    for keys in (5, [5], b"label", {"label": 1}):
        with pytest.raises(TypeError, match="keys are names of fields"):
            as_keys(keys)


def test_moments_come_back():
    records = [
        {
            "msg_id": "a",
            "header": {"date": "2026-01-01T12:00:00Z", "msg_id": "a"},
            "result_header": None,
            "submitted": "2026-01-01T17:00:00+05:00",
            "completed": None,
            "label": "2026",
        },
        {"msg_id": "b", "received": "2026-01-01T12:00:00", "header": {}},
    ]
    content = {"records": records, "buffer_lens": None, "result_buffer_lens": None}
    first, second = read_records(content, [])
    assert first["header"] == {"date": NOON, "msg_id": "a"}
    assert first["submitted"] == NOON
    assert (first["completed"], first["result_header"], first["label"]) == (None, None, "2026")
    assert second == {"msg_id": "b", "received": NOON, "header": {}}
    assert "buffers" not in first


@pytest.mark.parametrize(
    ("lens", "result_lens", "expected"),
    [
        ([1, 0, 2], None, [("0",), (), ("1", "2")]),
        (None, [2, 1, 0], [("0", "1"), ("2",), ()]),
    ],
)
def test_buffers_go_to_their_records(lens, result_lens, expected):
    content = {
        "records": [{"msg_id": str(i)} for i in range(3)],
        "buffer_lens": lens,
        "result_buffer_lens": result_lens,
    }
    name = "buffers" if lens is not None else "result_buffers"
    records = read_records(content, [b"0", b"1", b"2"])
    assert [tuple(str(b, "ascii") for b in record[name]) for record in records] == expected
    assert all(len(record) == 2 for record in records)


def test_a_records_own_buffers_stand_before_those_of_its_result():
    content = {
        "records": [{"msg_id": "a"}, {"msg_id": "b"}],
        "buffer_lens": [1, 2],
        "result_buffer_lens": [1, 1],
    }
    first, second = read_records(content, [b"0", b"1", b"2", b"3", b"4"])
    assert (first["buffers"], first["result_buffers"]) == ([b"0"], [b"1"])
    assert (second["buffers"], second["result_buffers"]) == ([b"2", b"3"], [b"4"])
