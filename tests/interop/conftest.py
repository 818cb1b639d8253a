"""A controller of this package with published engines and a published client."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.peer import PeerClient
from tests.support.processes import Controller, PeerEngine


@dataclass
class Mixed:
    """What the tests of a module share."""

    folder: Path
    controller: Controller
    client: PeerClient
    start_engine: Callable[[], PeerEngine]
    #: Published engines by id, as long as a test has not ended them.
    engines: dict[int, PeerEngine]


@pytest.fixture(scope="session")
def peer_python() -> str:
    """The python that has the published package."""
    python = os.environ.get("IPP_PEER_PYTHON")
    if not python:
        pytest.skip("IPP_PEER_PYTHON does not name a python with the published ipyparallel")
    return python


def make_mixed(peer_python: str, folder: Path, *options: str) -> Iterator[Mixed]:
    """Start all; end all."""
    started: list[Controller | PeerEngine | PeerClient] = []

    def start_engine() -> PeerEngine:
        engine = PeerEngine(peer_python, folder, controller.engine_file)
        started.append(engine)
        return engine

    try:
        controller = Controller(folder, *options)
        started.append(controller)
        processes = [start_engine(), start_engine()]
        client = PeerClient(peer_python, folder)
        started.append(client)
        client.call("connect", file=str(controller.client_file))
        for process in processes:
            process.wait_ready()
        client.call("wait_for_engines", n=2)
        by_pid = {process.pid: process for process in processes}
        pids = client.call("pids")
        engines = {int(engine_id): by_pid[pid] for engine_id, pid in pids.items()}
        yield Mixed(folder, controller, client, start_engine, engines)
    finally:
        for process in reversed(started):
            process.end()
