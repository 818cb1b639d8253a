"""An engine comes back to a controller that was killed and started again, in whatever order."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import zmq

from tests.support.processes import Controller, port_range
from tests.support.raw import FakeEngine, Raw


class Heart:
    """An engine's heart, which beats when it is told to."""

    def __init__(self, raw: Raw, uuid: str) -> None:
        self._ping = raw.context.socket(zmq.SUB)
        self._ping.connect(raw.client.url(raw.engine.hb_ping))
        self._ping.subscribe(b"")
        self._pong = raw.connect(raw.engine.hb_pong, uuid.encode())

    def beat(self) -> None:
        """Answer the next ping that is sent."""
        while self._ping.poll(0):
            self._ping.recv_multipart()
        assert self._ping.poll(20_000), "no ping"
        self._pong.send_multipart(self._ping.recv_multipart())

    def close(self) -> None:
        self._ping.close(linger=0)
        self._pong.close(linger=0)


@pytest.fixture
def options() -> tuple[str, ...]:
    return ("--restore", f"--ports={port_range()}", "--IPController.restore_wait=100")


@pytest.fixture
def left(tmp_path: Path, options: tuple[str, ...]) -> str:
    """The uuid of an engine whose controller was killed."""
    controller = Controller(tmp_path, *options)
    raw = Raw(controller.client_file, controller.engine_file)
    try:
        fake = FakeEngine(raw)
        controller.wait_for(f"Engine {fake.id} is ready")
    finally:
        controller.kill()
        raw.close()
    return fake.uuid


@pytest.fixture
def raw(tmp_path: Path, options: tuple[str, ...], left: str) -> Iterator[Raw]:
    """A peer of the controller that was started again."""
    controller = Controller(tmp_path, *options)
    raw = Raw(controller.client_file, controller.engine_file)
    yield raw
    raw.close()
    controller.end()


@pytest.fixture
def heart(raw: Raw, left: str) -> Iterator[Heart]:
    heart = Heart(raw, left)
    yield heart
    heart.close()


def test_an_engine_may_be_heard_before_it_can_be_asked_to_return(
    raw: Raw, left: str, heart: Heart
) -> None:
    heart.beat()
    # a quarter of a second later: by then that has been read
    heart.beat()
    control = raw.connect(raw.engine.control, left.encode())
    while not control.poll(0):
        heart.beat()
    assert raw.read(control).header.msg_type == "return_request"
    control.close(linger=0)
