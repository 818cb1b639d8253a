"""Direct tasks for engines that are gone, or never came: all have an end."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import zmq

from ipyparallel.protocol.messages import ResultRequest
from ipyparallel.protocol.session import new_id
from tests.support.processes import wait_until
from tests.support.raw import FakeEngine, Raw


@pytest.fixture
def mux(bench) -> Iterator[zmq.Socket[bytes]]:
    """The direct channel of a client."""
    socket = bench.raw.connect(bench.raw.client.mux, new_id().encode())
    yield socket
    socket.close(linger=0)


def submit(raw: Raw, mux: zmq.Socket[bytes], uuid: str) -> str:
    """Submit a direct task; its id."""
    header = raw.session.header("apply_request")
    mux.send_multipart([uuid.encode(), *raw.session.frame(header, {}, buffers=[b"f"])])
    return header.msg_id


def refusal(raw: Raw, mux: zmq.Socket[bytes], msg_id: str) -> str:
    """Why a task was refused, once it was; the hub knows that it has ended."""
    reply = raw.read(mux)
    assert reply.parent.msg_id == msg_id
    content = reply.content()
    assert content["ename"] == "EngineError"
    hub = raw.connect(raw.client.registration)
    try:
        request = ResultRequest([msg_id], status_only=True)
        hub.send_multipart(raw.session.message("result_request", request))
        assert raw.read(hub).content()["completed"] == [msg_id]
    finally:
        hub.close(linger=0)
    return content["evalue"]


def test_an_engine_that_is_gone_may_still_be_connected(bench, mux) -> None:
    fake = FakeEngine(bench.raw)
    wait_until(lambda: fake.id in bench.client.ids, "the client to see the engine")
    content = {"uuid": fake.uuid}
    fake.query.send_multipart(bench.raw.session.message("unregistration_request", content))
    wait_until(lambda: fake.id not in bench.client.ids, "the client to see the engine go")
    # the relay, which hears of it at about the same time as clients do, is asked
    bench.client.queue_status()
    msg_id = submit(bench.raw, mux, fake.uuid)
    assert refusal(bench.raw, mux, msg_id) == f"engine {fake.uuid} is gone"
    fake.close()


def test_an_engine_that_leaves_before_it_was_ready(bench, mux) -> None:
    raw = bench.raw
    uuid = new_id()
    query = raw.connect(raw.engine.registration, uuid.encode())
    content = {"uuid": uuid, "reports_ready": True}
    query.send_multipart(raw.session.message("registration_request", content))
    engine_id = raw.read(query).content()["id"]
    msg_id = submit(raw, mux, uuid)
    # a client of the same channel is answered: the task is held by now
    bench.check_work()
    assert not mux.poll(0)
    query.send_multipart(raw.session.message("unregistration_request", {"uuid": uuid}))
    assert refusal(raw, mux, msg_id) == f"engine {uuid} is gone"
    assert f"Engine {engine_id} left before it was ready" in bench.controller.text
    query.close(linger=0)
