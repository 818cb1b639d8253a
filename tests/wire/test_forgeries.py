"""Messages that are not of this cluster, or are none at all: one line in the log, nothing else."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import zmq

from ipyparallel.serialize.apply import pack_call
from ipyparallel.serialize.functions import PickledFunctions
from ipyparallel.transport.sockets import HUB
from tests.support.raw import FORGERIES, Forgery, Frames
from tests.wire.conftest import Bench, Watch


@dataclass
class Line:
    """A connection to one channel, and a harmless message for it."""

    name: str
    port: int
    socket: zmq.Socket[bytes]
    prefix: Frames
    make_good: Callable[[], Frames]

    def send(self, frames: Frames) -> None:
        self.socket.send_multipart([*self.prefix, *frames])


def call_frames(bench: Bench, metadata: Any = None) -> Frames:
    """An ``apply_request``."""
    content, buffers = pack_call(pow, (2, 3), {}, PickledFunctions())
    message = bench.raw.session.message
    return message("apply_request", content, metadata=metadata, buffers=buffers)


CLIENT_SIDE = ["query", "control", "mux", "task"]
ENGINE_SIDE = ["task engine", "mux engine", "control engine"]

every_channel = pytest.mark.parametrize("line", CLIENT_SIDE + ENGINE_SIDE, indirect=True)
client_channels = pytest.mark.parametrize("line", CLIENT_SIDE, indirect=True)


@pytest.fixture
def line(request: pytest.FixtureRequest, bench: Bench) -> Iterator[Line]:
    raw = bench.raw
    info, engine, message = raw.client, raw.engine, raw.session.message

    def ready() -> Frames:
        return message("engine_ready")

    no_task = {"msg_ids": ["x"]}
    name = request.param
    port, prefix, make_good = {
        "query": (info.registration, [], lambda: message("queue_request", {})),
        "control": (info.control, [bench.uuid()], lambda: message("abort_request", no_task)),
        "mux": (info.mux, [bench.uuid()], lambda: call_frames(bench)),
        "task": (info.task, [], lambda: call_frames(bench)),
        "task engine": (engine.task, [], ready),
        "mux engine": (engine.mux, [HUB], ready),
        "control engine": (engine.control, [HUB], ready),
    }[name]
    # an engine's identity, of one that has not registered
    socket = raw.connect(port, b"nobody's" if name in ENGINE_SIDE else b"")
    yield Line(name, port, socket, prefix, make_good)
    socket.close(linger=0)


@every_channel
@pytest.mark.parametrize("forgery", FORGERIES, ids=str)
def test_forgery_is_dropped(bench: Bench, watch: Watch, line: Line, forgery: Forgery) -> None:
    line.send(forgery.make(bench.raw.session, line.make_good()))
    watch.check("WARNING", "Dropped a ", forgery.said)


@every_channel
def test_repeated_message_is_dropped(bench: Bench, watch: Watch, line: Line) -> None:
    good = line.make_good()
    line.send(good)
    if line.name in CLIENT_SIDE:
        bench.raw.read(line.socket)
    line.send(good)
    watch.check("WARNING", "Dropped a ", "repeated")


@client_channels
def test_message_repeated_from_elsewhere_is_dropped(bench: Bench, watch: Watch, line: Line) -> None:
    good = line.make_good()
    line.send(good)
    bench.raw.read(line.socket)
    other = bench.raw.connect(line.port)
    other.send_multipart([*line.prefix, *good])
    watch.check("WARNING", "Dropped a ", "repeated")
    other.close(linger=0)


@client_channels
@pytest.mark.parametrize("forgery", FORGERIES, ids=str)
def test_many_forgeries_do_not_hold_up_the_good(
    bench: Bench, watch: Watch, line: Line, forgery: Forgery
) -> None:
    """A batch of bad ones with good ones between them: each good one is answered."""
    for _ in range(3):
        line.send(forgery.make(bench.raw.session, line.make_good()))
        line.send(line.make_good())
    for _ in range(3):
        assert bench.raw.read(line.socket).header.msg_type.endswith("_reply")
    watch.wait_for_line()
    assert len(watch.lines) == 3, "\n".join(watch.lines)


@pytest.mark.parametrize("channel", ["mux", "control"])
def test_message_to_an_engine_that_is_not_there(bench: Bench, watch: Watch, channel: str) -> None:
    """The sender is told, instead of waiting for ever."""
    socket = bench.raw.connect(getattr(bench.raw.client, channel))
    socket.send_multipart([b"nobody", *call_frames(bench)])
    reply = bench.raw.read(socket)
    assert reply.header.msg_type == "apply_reply"
    assert reply.content()["ename"] == "EngineError"
    assert "nobody cannot be reached" in reply.content()["evalue"]
    watch.check("engine nobody cannot be reached")
    socket.close(linger=0)
