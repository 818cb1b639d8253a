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


def test_balanced_tasks_go_to_the_scheduler_as_they_came():
    message, frames = request(b"function", b"arguments", metadata={"label": "l", "retries": 2})
    records = records_of(("task", "engine", message, frames))
    found = read_restored(records, [], Session(b"key"))
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
    found = read_restored(records, holding, Session(b"key"))
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
    found = read_restored(records, ["other"], Session(b"key"))
    assert found.lost == {direct.header.msg_id: "here", large.header.msg_id: ""}
    assert (found.pending, found.direct, found.balanced) == ({}, [], [])
