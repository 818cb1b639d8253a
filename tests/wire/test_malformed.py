"""Messages that are signed with the cluster's key, and make no sense all the same."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import zmq

import ipyparallel as ipp
from ipyparallel.protocol.session import new_id
from ipyparallel.transport.sockets import HUB
from tests.support.processes import wait_until
from tests.support.raw import (
    CONTENT,
    METADATA,
    PARENT,
    UNREADABLE,
    FakeEngine,
    Frames,
    Raw,
    reply_to,
    resign,
)
from tests.wire.conftest import Bench, Watch
from tests.wire.test_forgeries import call_frames

unreadable = pytest.mark.parametrize("frame", UNREADABLE.values(), ids=list(UNREADABLE))


@pytest.fixture
def query(bench: Bench) -> Iterator[zmq.Socket[bytes]]:
    with bench.raw.connect(bench.raw.client.registration) as socket:
        yield socket


@pytest.fixture
def control(bench: Bench) -> Iterator[zmq.Socket[bytes]]:
    with bench.raw.connect(bench.raw.client.control) as socket:
        yield socket


@pytest.fixture
def mux(bench: Bench) -> Iterator[zmq.Socket[bytes]]:
    with bench.raw.connect(bench.raw.client.mux) as socket:
        yield socket


@pytest.fixture
def task(bench: Bench) -> Iterator[zmq.Socket[bytes]]:
    with bench.raw.connect(bench.raw.client.task) as socket:
        yield socket


def error_in(raw: Raw, socket: zmq.Socket[bytes], msg_type: str, request: Frames) -> dict[str, Any]:
    """The error that comes in answer to `request`."""
    reply = raw.read(socket)
    assert reply.header.msg_type == msg_type
    assert reply.parent_frame == request[2]
    content: dict[str, Any] = reply.content()
    assert content["status"] == "error"
    assert set(content) >= {"ename", "evalue", "traceback"}
    return content


# ---- query


def test_query_of_unknown_type(bench: Bench, watch: Watch, query: zmq.Socket[bytes]) -> None:
    request = bench.raw.session.message("nonsense_request", {})
    query.send_multipart(request)
    error = error_in(bench.raw, query, "hub_error", request)
    assert error["ename"] == "KeyError"
    assert "Bad Message Type: 'nonsense_request'" in error["evalue"]
    watch.check("WARNING", "Refused a nonsense_request")


@unreadable
@pytest.mark.parametrize(
    "msg_type",
    ["connection_request", "registration_request", "unregistration_request", "queue_request"],
)
def test_query_with_unreadable_content(
    bench: Bench, watch: Watch, query: zmq.Socket[bytes], msg_type: str, frame: bytes
) -> None:
    request = resign(bench.raw.session, bench.raw.session.message(msg_type), CONTENT, frame)
    query.send_multipart(request)
    error = error_in(bench.raw, query, "hub_error", request)
    assert error["ename"] == "ValueError"
    assert f"content of {msg_type} is malformed" in error["evalue"]
    watch.check("WARNING", f"Refused a {msg_type}", "malformed")


@pytest.mark.parametrize(
    ("msg_type", "content", "said"),
    [
        ("connection_request", {"token": 5}, "token"),
        ("registration_request", {}, "uuid"),
        ("registration_request", {"uuid": 5}, "uuid"),
        ("registration_request", {"uuid": "a", "id": "one"}, "id"),
        ("unregistration_request", {"id": "one"}, "id"),
        ("unregistration_request", {"uuid": ["a"]}, "uuid"),
        ("queue_request", {"targets": {"a": 1}}, "targets"),
        ("queue_request", {"targets": [1.5]}, "targets"),
        ("queue_request", {"targets": [99]}, "No such engine: 99"),
        ("queue_request", {"targets": ["nobody"]}, "No such engine: 'nobody'"),
        ("queue_request", {"verbose": "yes"}, "verbose"),
    ],
)
def test_query_with_wrong_content(
    bench: Bench,
    watch: Watch,
    query: zmq.Socket[bytes],
    msg_type: str,
    content: dict[str, Any],
    said: str,
) -> None:
    request = bench.raw.session.message(msg_type, content)
    query.send_multipart(request)
    assert said in error_in(bench.raw, query, "hub_error", request)["evalue"]
    watch.check("WARNING", f"Refused a {msg_type}", said)


def test_engine_under_a_uuid_that_is_taken(
    bench: Bench, watch: Watch, query: zmq.Socket[bytes]
) -> None:
    content = {"uuid": bench.uuid().decode()}
    request = bench.raw.session.message("registration_request", content)
    query.send_multipart(request)
    reply = bench.raw.read(query)
    assert reply.header.msg_type == "registration_reply"
    assert reply.content()["status"] == "error"
    assert "in use" in reply.content()["evalue"]
    watch.check("ERROR", "Refused an engine", "in use")


def test_unregistration_of_an_engine_that_is_not_there(
    bench: Bench, watch: Watch, query: zmq.Socket[bytes]
) -> None:
    query.send_multipart(bench.raw.session.message("unregistration_request", {"id": 99}))
    query.send_multipart(bench.raw.session.message("queue_request", {}))
    assert bench.raw.read(query).header.msg_type == "queue_reply"
    watch.check()


# ---- control


@unreadable
def test_control_with_unreadable_content(
    bench: Bench, watch: Watch, control: zmq.Socket[bytes], frame: bytes
) -> None:
    request = bench.raw.session.message("abort_request")
    control.send_multipart([bench.uuid(), *resign(bench.raw.session, request, CONTENT, frame)])
    watch.check("WARNING", "Dropped a message on the control channel")


@pytest.mark.parametrize(
    ("msg_type", "content", "said"),
    [
        ("nonsense_request", {}, "nonsense_request"),
        ("abort_request", {"msg_ids": 5}, "msg_ids must be a list of message ids, not 5"),
        ("abort_request", {"msg_ids": [["x"]]}, "msg_ids must be a list"),
        ("signal_request", {}, "sig"),
        ("signal_request", {"sig": "SIGNONSENSE"}, "SIGNONSENSE"),
        ("signal_request", {"sig": "getsignal"}, "getsignal"),
        ("signal_request", {"sig": 9999}, "9999"),
        ("signal_request", {"sig": [2]}, "[2]"),
        ("recall_request", {}, "msg_ids"),
        ("replace_request", {}, "must say why"),
        ("replace_request", {"reason": ""}, "must say why"),
        ("replace_request", {"reason": 5}, "must say why"),
    ],
)
def test_control_with_wrong_content(
    bench: Bench,
    watch: Watch,
    control: zmq.Socket[bytes],
    msg_type: str,
    content: dict[str, Any],
    said: str,
) -> None:
    request = bench.raw.session.message(msg_type, content)
    control.send_multipart([bench.uuid(), *request])
    reply_type = msg_type.replace("_request", "_reply")
    assert said in error_in(bench.raw, control, reply_type, request)["evalue"]
    watch.check("WARNING", f"Refused a {msg_type}", said)
    assert not control.poll(0), "answered twice"


# ---- mux


def test_direct_request_of_unknown_type(bench: Bench, watch: Watch, mux: zmq.Socket[bytes]) -> None:
    request = bench.raw.session.message("nonsense_request", {})
    mux.send_multipart([bench.uuid(), *request])
    assert "nonsense_request" in error_in(bench.raw, mux, "nonsense_reply", request)["evalue"]
    watch.check("WARNING", "Refused a request", "nonsense_request")


@unreadable
def test_call_with_unreadable_content(
    bench: Bench, watch: Watch, mux: zmq.Socket[bytes], frame: bytes
) -> None:
    request = resign(bench.raw.session, call_frames(bench), CONTENT, frame)
    mux.send_multipart([bench.uuid(), *request])
    error = error_in(bench.raw, mux, "apply_reply", request)
    assert error["engine_info"]["engine_id"] == 0
    watch.check()


@pytest.mark.parametrize("cut", [1, 2])
def test_call_without_its_buffers(
    bench: Bench, watch: Watch, mux: zmq.Socket[bytes], cut: int
) -> None:
    request = call_frames(bench)[:-cut]
    mux.send_multipart([bench.uuid(), *request])
    error_in(bench.raw, mux, "apply_reply", request)
    watch.check()


@unreadable
def test_call_with_unreadable_metadata(
    bench: Bench, watch: Watch, mux: zmq.Socket[bytes], frame: bytes
) -> None:
    """Nothing in it is needed to run the call."""
    mux.send_multipart(
        [bench.uuid(), *resign(bench.raw.session, call_frames(bench), METADATA, frame)]
    )
    reply = bench.raw.read(mux)
    assert reply.content() == {"status": "ok"}
    watch.check()


@unreadable
@pytest.mark.parametrize(
    "place", [PARENT, METADATA, CONTENT], ids=["parent", "metadata", "content"]
)
def test_execution_with_an_unreadable_frame(
    bench: Bench, watch: Watch, mux: zmq.Socket[bytes], place: int, frame: bytes
) -> None:
    good = bench.raw.session.message(
        "execute_request", {"code": "1", "silent": True, "n": new_id()}
    )
    request = resign(bench.raw.session, good, place, frame)
    mux.send_multipart([bench.uuid(), *request])
    error_in(bench.raw, mux, "execute_reply", request)
    watch.check("WARNING", "Refused a request")


@pytest.mark.parametrize("content", [{}, {"code": 5}, {"silent": True}])
def test_execution_without_code(
    bench: Bench, watch: Watch, mux: zmq.Socket[bytes], content: dict[str, Any]
) -> None:
    request = bench.raw.session.message("execute_request", content)
    mux.send_multipart([bench.uuid(), *request])
    assert "code" in error_in(bench.raw, mux, "execute_reply", request)["evalue"]
    watch.check("WARNING", "Refused a request")


# ---- task, the clients' side


@pytest.mark.parametrize("msg_type", ["nonsense_request", "execute_request", "nonsense"])
def test_balanced_request_of_unknown_type(
    bench: Bench, watch: Watch, task: zmq.Socket[bytes], msg_type: str
) -> None:
    """An engine would not answer it, and would count as busy for ever."""
    request = bench.raw.session.message(msg_type, {})
    task.send_multipart(request)
    error = error_in(bench.raw, task, msg_type.replace("_request", "_reply"), request)
    assert "apply_request" in error["evalue"]
    watch.check("WARNING", "Refused a task", msg_type)


@unreadable
def test_task_with_unreadable_metadata(
    bench: Bench, watch: Watch, task: zmq.Socket[bytes], frame: bytes
) -> None:
    request = resign(bench.raw.session, call_frames(bench), METADATA, frame)
    task.send_multipart(request)
    error = error_in(bench.raw, task, "apply_reply", request)
    assert "the metadata of the task is malformed" in error["evalue"]
    watch.check("WARNING", "Refused a task")


@pytest.mark.parametrize(
    "metadata",
    [
        {"targets": "all"},
        {"targets": [1]},
        {"retries": "one"},
        {"timeout": "1 s"},
        {"after": 5},
        {"follow": {"dependencies": [], "success": False}},
        {"after": {"tasks": ["a"]}},
        {"timeout": -1},
        {"time_limit": -1},
        {"resources": {"gpu": -1}},
        {"priority": 0.5},
    ],
    ids=str,
)
def test_task_with_wrong_metadata(
    bench: Bench, watch: Watch, task: zmq.Socket[bytes], metadata: dict[str, Any]
) -> None:
    request = call_frames(bench, metadata)
    task.send_multipart(request)
    error = error_in(bench.raw, task, "apply_reply", request)
    (name,) = metadata
    assert name in error["evalue"]
    watch.check("WARNING", "Refused a task", name)


@unreadable
def test_task_with_unreadable_content(
    bench: Bench, watch: Watch, task: zmq.Socket[bytes], frame: bytes
) -> None:
    """The payload is the engine's to open; its client is told."""
    request = resign(bench.raw.session, call_frames(bench), CONTENT, frame)
    task.send_multipart(request)
    reply = bench.raw.read(task)
    assert reply.idents == [bench.uuid()]
    assert reply.content()["status"] == "error"
    watch.check()


def test_task_for_an_engine_that_is_not_there(
    bench: Bench, watch: Watch, task: zmq.Socket[bytes]
) -> None:
    request = call_frames(bench, {"targets": ["nobody"]})
    task.send_multipart(request)
    error = error_in(bench.raw, task, "apply_reply", request)
    assert error["ename"] == "ImpossibleDependency"
    watch.check()


def test_task_under_the_id_of_another(
    bench: Bench, watch: Watch, task: zmq.Socket[bytes], tmp_path: Any
) -> None:
    """It is dropped; the other runs to its end."""
    flag = tmp_path / "go"

    def wait_for(path: str) -> str:
        import os
        import time

        while not os.path.exists(path):
            time.sleep(0.01)
        return "done"

    running = bench.client.load_balanced_view().apply_async(wait_for, str(flag))
    header = bench.raw.session.header("apply_request")
    header.msg_id = running.msg_ids[0]
    wait_until(lambda: bench.client.queue_status(0)["tasks"] == 1, "the task to run")
    task.send_multipart(bench.raw.session.frame(header, {}))
    watch.wait_for_line()
    flag.touch()
    assert running.get(20) == "done"
    watch.check("WARNING", "Dropped a task", header.msg_id)


# ---- task, the engines' side


_BAD_PARENTS = {**UNREADABLE, "id is a number": b'{"msg_id": 5}'}
_BAD_REPLIES = {
    **{f"metadata {name}": (METADATA, frame) for name, frame in UNREADABLE.items()},
    "metadata status": (METADATA, b'{"status": 5}'),
    "metadata elapsed": (METADATA, b'{"elapsed": "long"}'),
    **{f"parent {name}": (PARENT, frame) for name, frame in _BAD_PARENTS.items()},
}


@pytest.mark.parametrize(("place", "frame"), _BAD_REPLIES.values(), ids=list(_BAD_REPLIES))
def test_malformed_reply_is_dropped_and_a_good_one_counts(
    bench: Bench, fake: FakeEngine, place: int, frame: bytes
) -> None:
    result = bench.client.load_balanced_view([fake.id]).apply_async(pow, 2, 3)
    request = bench.raw.read(fake.task)
    (client,) = request.idents
    watch = Watch(bench)
    bad = resign(bench.raw.session, reply_to(fake, request, {"n": new_id()}), place, frame)
    fake.task.send_multipart([client, *bad])
    watch.wait_for_line()
    assert not result.done()
    fake.task.send_multipart([client, *reply_to(fake, request)])
    with pytest.raises(ipp.RemoteError, match="from afar"):
        result.get(20)
    (line,) = watch.lines
    assert "Dropped a message of an engine on the task channel" in line


@pytest.mark.parametrize("idents", [[], [b"a", b"b"]], ids=["none", "two"])
def test_reply_to_no_client_is_dropped(bench: Bench, fake: FakeEngine, idents: list[bytes]) -> None:
    result = bench.client.load_balanced_view([fake.id]).apply_async(pow, 2, 3)
    request = bench.raw.read(fake.task)
    watch = Watch(bench)
    fake.task.send_multipart([*idents, *reply_to(fake, request)])
    watch.wait_for_line()
    fake.task.send_multipart([*request.idents, *reply_to(fake, request)])
    with pytest.raises(ipp.RemoteError, match="from afar"):
        result.get(20)
    (line,) = watch.lines
    assert "is not a reply to a client" in line


def test_reply_that_names_another_client_reaches_the_one_who_asked(
    bench: Bench, fake: FakeEngine
) -> None:
    result = bench.client.load_balanced_view([fake.id]).apply_async(pow, 2, 3)
    request = bench.raw.read(fake.task)
    fake.task.send_multipart([b"someone", *reply_to(fake, request)])
    with pytest.raises(ipp.RemoteError, match="from afar"):
        result.get(20)


def test_message_of_unknown_type_from_an_engine(
    bench: Bench, watch: Watch, fake: FakeEngine
) -> None:
    before = len(watch.lines)
    fake.task.send_multipart([b"client", *bench.raw.session.message("nonsense", {})])
    wait_until(lambda: len(watch.lines) > before, "a line in the log")
    bench.check_work()
    (line,) = watch.lines[before:]
    assert "Dropped a message of an engine on the task channel" in line
    assert "'nonsense'" in line


def test_reply_to_a_task_of_another_engine_is_ignored(bench: Bench, fake: FakeEngine) -> None:
    """Such as the late one of an engine that had been given up for dead."""
    request = bench.raw.session.parse(bench.raw.session.message("apply_request", {}))
    fake.task.send_multipart([b"client", *reply_to(fake, request)])
    bench.check_work()


@pytest.mark.parametrize("name", ["returned", "outcomes"])
@pytest.mark.parametrize(
    "content",
    [b'{"returned": 5}', b'{"returned": [5]}', *UNREADABLE.values()],
    ids=["a number", "numbers", *UNREADABLE],
)
def test_malformed_answer_to_a_recall_or_a_cancellation(
    bench: Bench, fake: FakeEngine, content: bytes, name: str
) -> None:
    watch = Watch(bench)
    msg_type = {"returned": "recall_reply", "outcomes": "cancel_reply"}[name]
    content = content.replace(b"returned", name.encode())
    message = bench.raw.session.message(msg_type, {}, metadata={"n": new_id()})
    fake.control.send_multipart([HUB, *resign(bench.raw.session, message, CONTENT, content)])
    watch.wait_for_line()
    bench.check_work()
    (line,) = watch.lines
    assert "Dropped a message on the control channel" in line
