"""A published client and published engines under the pure scheme of our controller."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.peer import PeerClient
from tests.support.processes import Controller, Engines, PeerEngine

pytestmark = pytest.mark.interop


@pytest.fixture
def controller(tmp_path: Path) -> Iterator[Controller]:
    controller = Controller(tmp_path, "--scheme=pure", "--log-level=INFO")
    yield controller
    controller.end()


@pytest.mark.parametrize("kind", ["ours", "published"])
def test_a_published_client_runs_balanced_tasks(
    peer_python: str, tmp_path: Path, controller: Controller, kind: str
) -> None:
    engines: list[Engines | PeerEngine] = []
    client = PeerClient(peer_python, tmp_path)
    try:
        for engine_id in (0, 1):
            engines.append(
                Engines(tmp_path, controller.engine_file)
                if kind == "ours"
                else PeerEngine(peer_python, tmp_path, controller.engine_file)
            )
            # in this order, or the client gives tasks up for good
            controller.wait_for(f"Engine {engine_id} is ready")
        assert client.call("connect", file=str(controller.client_file)) == [0, 1]
        assert client.call("balanced_map", n=20) == [2 * i for i in range(20)]
        assert client.call("balanced", n=20) == {
            "results": [2 * i for i in range(20)],
            "engines": [0, 1],
            "statuses": ["ok"],
        }
        assert client.call("queue_status", targets=None, verbose=False)["unassigned"] == 0
    finally:
        client.end()
        for engine in engines:
            engine.end()
