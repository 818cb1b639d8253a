"""A controller and an engine of ours, whose logs are watched while a raw peer misbehaves."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

import ipyparallel as ipp
from tests.support.processes import Controller, Engines, wait_until
from tests.support.raw import FakeEngine, Raw


@dataclass
class Bench:
    """What the tests of a module share."""

    controller: Controller
    engines: Engines
    client: ipp.Client
    raw: Raw

    def log(self) -> list[str]:
        """All that was logged so far."""
        return self.controller.lines + self.engines.lines

    def uuid(self) -> bytes:
        """The identity of the engine."""
        return self.client._messenger.engines.uuid(0).encode()

    def check_work(self) -> None:
        """Normal work succeeds on both channels, and nothing is left over."""
        assert self.client[0].apply_async(pow, 2, 5).get(20) == 32
        assert self.client.load_balanced_view().apply_async(pow, 2, 6).get(20) == 64
        status = self.client.queue_status()
        assert (status[0]["queue"], status[0]["tasks"], status["unassigned"]) == (0, 0, 0)


class Watch:
    """The log since this was made.

    Both processes' logs count, so that what one drops is not complained of by the other too.
    """

    def __init__(self, bench: Bench) -> None:
        self._bench = bench
        self._before = len(bench.controller.lines), len(bench.engines.lines)

    @property
    def lines(self) -> list[str]:
        """What was logged since."""
        controller, engines = self._before
        return self._bench.controller.lines[controller:] + self._bench.engines.lines[engines:]

    def wait_for_line(self) -> None:
        """Wait until something was logged."""
        wait_until(lambda: self.lines, "a line in the log")

    def check(self, *expected: str) -> None:
        """Work goes on, and there is exactly one line with all of `expected`; none for none."""
        if expected:
            self.wait_for_line()
        self._bench.check_work()
        lines = self.lines
        assert len(lines) == bool(expected), "\n".join(lines)
        for text in expected:
            assert text in lines[0]


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    folder = tmp_path_factory.mktemp("bench")
    controller = Controller(folder)
    engines = raw = None
    try:
        engines = Engines(folder, controller.engine_file)
        raw = Raw(controller.client_file, controller.engine_file)
        with ipp.Client(str(controller.client_file)) as client:
            client.wait_for_engines(1, timeout=30)
            bench = Bench(controller, engines, client, raw)
            # the line that an engine writes last when it starts
            engines.wait_ready()
            assert client[0].apply_async(os.getpid).get(20)
            yield bench
    finally:
        if raw is not None:
            raw.close()
        if engines is not None:
            engines.end()
        controller.end()


@pytest.fixture
def watch(bench: Bench) -> Watch:
    return Watch(bench)


@pytest.fixture
def fake(bench: Bench) -> Iterator[FakeEngine]:
    engine = FakeEngine(bench.raw)
    wait_until(lambda: engine.id in bench.client.ids, "the client to see the engine")
    yield engine
    engine.close()
    wait_until(lambda: engine.id not in bench.client.ids, "the client to see the engine go")
