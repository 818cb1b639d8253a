"""Which tasks of an earlier run go on, and how."""

from __future__ import annotations

from ipyparallel.controller import link
from ipyparallel.controller.databases.dictdb import DictDB
from ipyparallel.controller.lazy_records import RequestRecord
from ipyparallel.controller.restored import RESTORED_FIELDS, read_restored
from ipyparallel.protocol.messages import decode_header
from ipyparallel.protocol.session import Session

from .task_messages import request


def records_of(*tasks):
    """Records of tasks, each of which is (queue, engine, message, frames)."""
    database = DictDB()
    for queue, engine, message, frames in tasks:
        msg_id = message.header.msg_id
        database.add_record(msg_id, RequestRecord(queue, msg_id, frames, engine))
    return database.find_records({}, RESTORED_FIELDS)


def restored(records, holding=(), others=None):
    return read_restored(records, holding, Session(b"key"), (others or {}).__getitem__)


def test_balanced_tasks_go_to_the_scheduler_as_they_came():
    message, frames = request(b"function", b"arguments", metadata={"label": "l", "retries": 2})
    records = records_of(("task", "engine", message, frames))
    found = restored(records)
    msg_id = message.header.msg_id
    assert (found.pending, found.lost, found.direct) == ({msg_id: "engine"}, {}, [])
    ((client, *again),) = found.balanced
    read = Session(b"key").parse(again)
    assert client == b"client-session"
    assert read.header == message.header
    assert read.metadata() == {"label": "l", "retries": 2}
    assert read.content() == {}
    assert read.buffers == [b"function", b"arguments"]


def test_what_is_on_an_engine_is_awaited():
    direct, frames = request(b"f")
    large, large_frames = request(b"f")
    records = records_of(
        ("mux", "here", direct, frames),
        ("task", "there", large, large_frames),
    )
    records[1]["buffers"] = []  # they were too large to be kept
    holding = [direct.header.msg_id, f"{large.header.msg_id}#2"]
    found = restored(records, holding)
    assert found.pending == {direct.header.msg_id: "here", large.header.msg_id: "there"}
    assert (found.lost, found.balanced) == ({}, [])
    ((uuid, msg_id, client, header),) = [
        (task.uuid, task.msg_id, task.client, task.header_frame) for task in found.direct
    ]
    assert (uuid, msg_id, client) == ("here", direct.header.msg_id, b"client-session")
    assert decode_header(header) == direct.header
    assert link.decode_for_relay(link.encode(link.RestoredDirect(found.direct))).tasks[0].uuid


def test_what_was_on_its_way_is_lost():
    direct, frames = request(b"f")
    large, large_frames = request(b"f")
    records = records_of(("mux", "here", direct, frames), ("task", "", large, large_frames))
    records[1]["buffers"] = []
    found = restored(records, ["other"])
    assert found.lost == {direct.header.msg_id: "here", large.header.msg_id: ""}
    assert (found.pending, found.direct, found.balanced) == ({}, [], [])


def test_how_those_ended_that_others_depend_on_is_known():
    others = {
        "a_1": {"msg_id": "a_1", "result_content": {"status": "ok"}, "engine_uuid": "here"},
        "a_2": {"msg_id": "a_2", "result_content": {"status": "error"}, "engine_uuid": None},
    }
    after = {"dependencies": ["a_1", "gone_7"], "all": False}
    message, frames = request(b"f", metadata={"after": after, "follow": ["a_2"]})
    malformed, other_frames = request(b"f", metadata={"after": [7]})
    records = records_of(("task", "", message, frames), ("task", "", malformed, other_frames))
    found = restored(records, others=others)
    assert len(found.balanced) == 2
    told = sorted((task.msg_id, task.ok, task.uuid) for task in found.ended)
    assert told == [("a_1", True, "here"), ("a_2", False, "")]
