"""Parts of records that are decoded when they are asked for."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from ipyparallel.controller.databases.record import FIELDS, ends, size_of
from ipyparallel.controller.lazy_records import ReplyRecord, RequestRecord

from .task_messages import DATE, reply_to, request


@pytest.mark.parametrize("compact", [True, False])
def test_a_request_tells_what_was_submitted(compact):
    message, frames = request(b"function", b"x" * 100_000, compact=compact)
    record = RequestRecord("task", message.header.msg_id, frames)
    assert dict(record) == {
        "msg_id": message.header.msg_id,
        "header": {
            "msg_id": message.header.msg_id,
            "msg_type": "apply_request",
            "username": message.header.username,
            "session": "client-session",
            "date": message.header.date,
            "version": "5.4",
        },
        "metadata": {"label": "mine"},
        "content": {},
        "buffers": [b"function", b"x" * 100_000],
        "submitted": datetime.fromisoformat(message.header.date),
        "client_uuid": "client-session",
        "engine_uuid": None,
        "queue": "task",
        "label": "mine",
    }
    assert not ends(record)
    assert 100_000 < size_of(record) < 103_000


@pytest.mark.parametrize("compact", [True, False])
def test_a_reply_tells_what_came_of_it(compact):
    message, _ = request(b"function")
    frames = reply_to(message, b"result", compact=compact)
    record = ReplyRecord(frames, "engine", 1_000_000_000.5)
    fields = dict(record)
    header = fields.pop("result_header")
    assert header["msg_type"] == "apply_reply"
    assert fields == {
        "engine_uuid": "engine",
        "started": datetime.fromisoformat(DATE),
        "completed": datetime.fromisoformat(header["date"]),
        "received": datetime.fromtimestamp(1_000_000_000.5, UTC),
        "result_metadata": {"started": DATE, "status": "ok", "engine": "engine"},
        "result_content": {"status": "ok"},
        "result_buffers": [b"result"],
    }
    assert ends(record)


def test_what_is_malformed_says_nothing():
    message, frames = request(b"function", compact=False)
    frames[3] = b'{"date": 7'
    frames[5] = b"[1]"
    record = RequestRecord("mux", message.header.msg_id, frames, "engine")
    assert (record["header"], record["metadata"], record["submitted"]) == ({}, {}, None)
    assert record["engine_uuid"] == "engine"
    reply = ReplyRecord(frames, "", 0.0)
    assert reply["completed"] == reply["received"] == datetime.fromtimestamp(0, UTC)


def test_only_fields_of_records_are_there():
    _message, frames = request()
    for record in (RequestRecord("task", "a", frames), ReplyRecord(frames, "", 0.0)):
        assert set(record) <= set(FIELDS)
        assert "error" not in record
        assert len(record) == len(list(record))
        with pytest.raises(KeyError):
            record["error"]
