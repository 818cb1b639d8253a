"""A message that lacks even an address, on the channels that pass through relays."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

import ipyparallel as ipp
from tests.support.processes import Controller, Engines
from tests.support.raw import Raw


@pytest.fixture
def of_its_own(tmp_path: Path) -> Iterator[tuple[Controller, Raw, ipp.Client]]:
    """Of their own: a relay that is harmed must not spoil other tests."""
    controller = Controller(tmp_path)
    engines = Engines(tmp_path, controller.engine_file)
    raw = Raw(controller.client_file, controller.engine_file)
    try:
        with ipp.Client(str(controller.client_file)) as client:
            client.wait_for_engines(1, timeout=30)
            yield controller, raw, client
    finally:
        raw.close()
        engines.end()
        controller.end()


@pytest.mark.parametrize("channel", ["mux", "control"])
def test_message_of_one_frame(of_its_own: tuple[Controller, Raw, ipp.Client], channel: str) -> None:
    controller, raw, client = of_its_own
    with raw.connect(getattr(raw.client, channel)) as socket:
        socket.send(b"no address")
        # what is sent after it on this connection is read after it
        uuid = client._messenger.engines.uuid(0).encode()
        request = raw.session.message(
            "execute_request" if channel == "mux" else "abort_request",
            {"code": "1", "msg_ids": ["x"]},
        )
        socket.send_multipart([uuid, *request])
        reply = raw.read(socket)
        assert reply.parent.msg_id == json.loads(request[2])["msg_id"]
    assert "it does not say where to" in controller.text or "no delimiter" in controller.text
