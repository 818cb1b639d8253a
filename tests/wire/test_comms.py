"""Comm messages between a raw client and an engine: they have no reply, and leave nothing."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import zmq

from tests.support.processes import wait_until
from tests.support.raw import Frames
from tests.wire.conftest import Bench, Watch


@pytest.fixture
def mux(bench: Bench) -> Iterator[zmq.Socket[bytes]]:
    with bench.raw.connect(bench.raw.client.mux) as socket:
        yield socket


def comm_message(bench: Bench, content: Any, msg_type: str = "comm_msg") -> Frames:
    return [bench.uuid(), *bench.raw.session.message(msg_type, content)]


OPEN = """
from comm import create_comm
received = []
opened = create_comm(target_name="a target")
opened.on_msg(lambda message: received.append(message["content"]["data"]))
"""


def test_a_comm_message_reaches_the_engine(
    bench: Bench, mux: zmq.Socket[bytes], watch: Watch
) -> None:
    view = bench.client[0]
    view.execute(OPEN, block=True)
    for number in range(3):
        content = {"comm_id": view["opened.comm_id"], "data": {"number": number}}
        mux.send_multipart(comm_message(bench, content))
    wait_until(lambda: len(view["received"]) == 3, "all to be received")
    assert view["received"] == [{"number": number} for number in range(3)]
    watch.check()
    assert not mux.poll(0)


def test_an_engine_lists_its_comms(bench: Bench, mux: zmq.Socket[bytes]) -> None:
    view = bench.client[0]
    view.execute(OPEN, block=True)
    request = comm_message(bench, {"target_name": "a target"}, "comm_info_request")
    mux.send_multipart(request)
    reply = bench.raw.read(mux)
    assert reply.header.msg_type == "comm_info_reply"
    comms = reply.content()["comms"]
    assert comms[view["opened.comm_id"]] == {"target_name": "a target"}


@pytest.mark.parametrize("content", [{}, {"comm_id": 3, "data": {}}], ids=["empty", "wrong type"])
def test_without_an_id_it_is_dropped(
    bench: Bench, mux: zmq.Socket[bytes], watch: Watch, content: Any
) -> None:
    mux.send_multipart(comm_message(bench, content))
    watch.check("Refused a request", "content of comm_msg has no comm_id")
    assert not mux.poll(0)


def test_to_an_engine_that_is_not_there_it_is_dropped(
    bench: Bench, mux: zmq.Socket[bytes], watch: Watch
) -> None:
    content = {"comm_id": "x", "data": {}}
    mux.send_multipart([b"nobody", *bench.raw.session.message("comm_msg", content)])
    watch.check("Refused a comm_msg", "nobody")
    assert not mux.poll(0)
