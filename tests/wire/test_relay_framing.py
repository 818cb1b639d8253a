"""A message that lacks even an address, on the channels that pass through relays."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

import ipyparallel as ipp
from support.processes import Controller, Engines
from support.raw import Raw


@pytest.fixture
def raw_and_client(tmp_path: Path) -> Iterator[tuple[Raw, ipp.Client]]:
    """Of their own: what these tests do may harm those that come after."""
    controller = Controller(tmp_path)
    engines = Engines(tmp_path, controller.engine_file)
    raw = Raw(controller.client_file, controller.engine_file)
    try:
        with ipp.Client(str(controller.client_file)) as client:
            client.wait_for_engines(1, timeout=30)
            yield raw, client
    finally:
        raw.close()
        engines.end()
        controller.end()


@pytest.mark.parametrize("channel", ["mux", "control"])
def test_message_of_one_frame(raw_and_client: tuple[Raw, ipp.Client], channel: str) -> None:
    raw, client = raw_and_client
    with raw.connect(getattr(raw.client, channel)) as socket:
        socket.send(b"no address")
        # what is sent after it on this connection is read after it
        uuid = client._engine_table.uuid(0).encode()
        request = raw.session.message(
            "execute_request" if channel == "mux" else "abort_request",
            {"code": "1", "msg_ids": ["x"]},
        )
        socket.send_multipart([uuid, *request])
        assert raw.read(socket, timeout=3).parent_frame == request[2]
