"""The connection between client and controller breaks, and comes back: nothing is lost or doubled."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.processes import Controller, Engines, wait_until
from tests.support.proxy import Proxy

import ipyparallel as ipp


@pytest.fixture(scope="module")
def controller(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Controller]:
    folder = tmp_path_factory.mktemp("outages")
    controller = Controller(folder)
    engines = Engines(folder, controller.engine_file, "-n=2")
    engines.wait_ready(2)
    yield controller
    engines.end()
    controller.end()


@pytest.fixture
def proxy(controller: Controller) -> Iterator[Proxy]:
    proxy = Proxy(controller.info())
    yield proxy
    proxy.close()


@pytest.fixture
def client(proxy: Proxy) -> Iterator[ipp.Client]:
    with ipp.Client(proxy.info) as client:
        client.wait_for_engines(2, timeout=20)
        yield client


def be_patient(client: ipp.Client, seconds: float = 60.0) -> None:
    """As if the controller had told so."""
    client._messenger.patience = seconds
    client._messenger.connection.wait_longer(seconds)


def is_connected(client: ipp.Client) -> bool:
    return not client._messenger.connection.unopened()


def define(client: ipp.Client) -> None:
    client[:].execute("runs = []", block=True)


def run(key: object, file: str = "", until: str = "") -> object:
    """Note that this ran; wait for a file, if one is named."""
    import os
    import time

    runs = globals().setdefault("runs", [])
    runs.append(key)
    if file:
        open(file, "w").close()
    while until and not os.path.exists(until):
        time.sleep(0.01)
    return key


run.__module__ = "__main__"  # sent by value


def runs(client: ipp.Client) -> list[object]:
    return sorted(sum(client[:].pull("runs", block=True), []), key=str)
