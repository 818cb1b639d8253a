"""Tasks that are run again."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from ipyparallel.controller.databases.dictdb import DictDB
from ipyparallel.controller.lazy_records import RequestRecord
from ipyparallel.controller.registry import Registry
from ipyparallel.controller.resubmission import Resubmission
from ipyparallel.protocol.session import Session

from .task_messages import request


@pytest.fixture
def registry():
    registry = Registry()
    for uuid in ("old", "here"):
        registry.register(uuid, native=True)
    registry.remove("old")
    for uuid, engine_id in (("new", 0), ("other", 2)):
        registry.register(uuid, engine_id, native=True)
    for uuid in ("here", "new", "other"):
        for channel in ("mux", "task", "control"):
            registry.reached(uuid, channel)
    return registry


@pytest.fixture
def sent():
    return []


@pytest.fixture
def resubmission(registry, sent):
    session = Session(b"key", session_id="hub")
    database = DictDB()
    return Resubmission(session, database, registry, lambda *args: sent.append(args))


def add(resubmission, queue="task", engine="", **options):
    message, frames = request(b"function", b"arguments", **options)
    msg_id = message.header.msg_id
    resubmission._database.add_record(msg_id, RequestRecord(queue, msg_id, frames, engine))
    return msg_id


def read(frames):
    return Session(b"key").parse(frames, fresh=False)


def test_a_balanced_task_keeps_all_but_its_id(resubmission, sent):
    metadata = {"label": "mine", "retries": 3, "after": ["a"], "targets": ["here"], "timeout": 2.5}
    msg_id = add(resubmission, metadata=metadata)
    new = resubmission.submit([msg_id])
    ((engine, frames),) = sent
    message = read(frames)
    assert engine == ""
    assert new == {msg_id: message.header.msg_id}
    assert message.header.msg_id != msg_id
    assert message.header.session == "client-session"
    assert message.metadata() == metadata
    assert message.buffers == [b"function", b"arguments"]
    assert resubmission._database.get_record(msg_id)["resubmitted"] == message.header.msg_id


@pytest.mark.parametrize(("target", "now"), [("here", "here"), ("old", "new"), ("gone", "gone")])
def test_targets_are_the_engines_that_have_these_ids_now(resubmission, sent, target, now):
    resubmission.submit([add(resubmission, metadata={"targets": [target]})])
    assert read(sent[0][1]).metadata()["targets"] == [now]


@pytest.mark.parametrize(("engine", "now"), [("here", "here"), ("old", "new"), ("gone", "")])
def test_a_direct_call_goes_to_its_engine_or_to_any(resubmission, sent, engine, now):
    resubmission.submit([add(resubmission, "mux", engine)])
    assert sent[0][0] == now


def test_code_goes_to_its_engine_only(resubmission, sent):
    resubmission.submit([add(resubmission, "mux", "here", msg_type="execute_request")])
    assert sent[0][0] == "here"
    assert read(sent[0][1]).content() == {"code": "1"}
    gone = add(resubmission, "mux", "gone", msg_type="execute_request")
    with pytest.raises(ValueError, match="its engine is gone"):
        resubmission.submit([gone])


def test_all_or_none_are_submitted(resubmission, sent):
    known = add(resubmission)
    with pytest.raises(KeyError, match=r"No such msg\(s\): \['unknown'\]"):
        resubmission.submit([known, "unknown"])
    msg_id = add(resubmission)
    resubmission._database.update_record(msg_id, {"buffers": []})
    with pytest.raises(ValueError, match="its arguments were too large to be kept"):
        resubmission.submit([known, msg_id])
    assert sent == []


def test_what_was_culled_is_told_so(resubmission):
    resubmission._database.record_limit = 1
    resubmission._database.cull_fraction = 0.0
    old = add(resubmission)
    for msg_id in (old, add(resubmission)):
        resubmission._database.fetched([msg_id])
        resubmission._database.update_record(msg_id, {"completed": datetime.now(UTC)})
    with pytest.raises(KeyError, match="has been culled for size"):
        resubmission.submit([old])
