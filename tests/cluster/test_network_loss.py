"""Engines out of the network for a while: frozen connections, broken ones, and what was in them."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

import ipyparallel as ipp
from tests.support.network import Network
from tests.support.processes import Controller, Engines, wait_until


@dataclass
class Site:
    controller: Controller
    network: Network
    engines: Engines
    client: ipp.Client

    @property
    def log(self) -> str:
        return self.controller.text

    def logged(self, text: str) -> Callable[[], None]:
        """A function that waits until this has been logged after now."""
        before = self.log.count(text)
        return lambda: wait_until(
            lambda: self.log.count(text) > before, repr(text), more=lambda: self.log
        )

    def pending(self, engine: int = 0) -> int:
        return self.client.queue_status()[engine]["queue"]


@pytest.fixture
def new_site(tmp_path: Path) -> Iterator[Callable[..., Site]]:
    sites: list[Site] = []
    parts: list[Callable[[], object]] = []

    def new(
        *options: str, n: int = 1, near: int = 0, period: int = 100, misses: int = 1000
    ) -> Site:
        """A controller, and engines beyond the network; so many others are near."""
        controller = Controller(
            tmp_path,
            f"--HeartMonitor.period={period}",
            f"--HeartMonitor.max_heartmonitor_misses={misses}",
            *options,
        )
        parts.append(controller.end)
        network = Network(controller.engine_file)
        parts.append(network.close)
        engines = Engines(tmp_path / "", network.file, "-n", str(n))
        parts.append(engines.end)
        client = ipp.Client(str(controller.client_file))
        parts.append(client.close)
        client.wait_for_engines(n, timeout=30)
        for _ in range(near):
            parts.append(Engines(tmp_path, controller.engine_file).end)
        client.wait_for_engines(n + near, timeout=30)
        sites.append(Site(controller, network, engines, client))
        return sites[-1]

    yield new
    for end in reversed(parts):
        end()


def task(begun: Path, go: Path, log: Path, result: object = "done") -> Callable[[], object]:
    """Says that it has begun; goes on when it may; notes that it ran."""

    def run() -> object:
        import time

        begun.touch()
        deadline = time.monotonic() + 60
        while not go.exists() and time.monotonic() < deadline:
            time.sleep(0.01)
        with log.open("a") as file:
            file.write("x")
        return result

    return run


@dataclass
class Steps:
    """What a task leaves and waits for."""

    begun: Path
    go: Path
    log: Path


@pytest.fixture
def steps(tmp_path: Path) -> Steps:
    return Steps(tmp_path / "begun", tmp_path / "go", tmp_path / "log")


@pytest.mark.parametrize("how", ["freeze", "cut", "swallow"])
def test_an_engine_comes_back_with_what_it_runs(new_site, steps: Steps, how: str) -> None:
    """As if nothing had happened: id, namespace, running task; and what was asked meanwhile."""
    site = new_site()
    rc, network = site.client, site.network
    rc[0].push({"a": 5}, block=True)
    pid = rc[0].apply_async(os.getpid).get(20)
    running = rc.load_balanced_view().apply_async(task(**vars(steps)))
    wait_until(steps.begun.exists)
    is_away, is_heard = site.logged("Engine 0 is away"), site.logged("Engine 0 is heard again")
    if how == "freeze":
        network.freeze()
    elif how == "cut":
        network.cut()
    else:
        network.swallow()
    is_away()
    steps.go.touch()
    asked = rc[0].apply_async(os.getpid)
    balanced = rc.load_balanced_view().apply_async(os.getpid)
    network.mend()
    assert running.get(30) == "done"
    assert asked.get(30) == pid
    assert balanced.get(30) == pid
    assert rc[0].pull("a", block=False).get(20) == 5
    assert rc.ids == [0]
    is_heard()
    assert "is gone" not in site.log


@pytest.mark.parametrize("balanced", [False, True])
def test_a_reply_that_was_lost_is_sent_again(new_site, steps: Steps, balanced: bool) -> None:
    site = new_site()
    rc, network = site.client, site.network
    view = rc.load_balanced_view() if balanced else rc[0]
    asked = view.apply_async(task(**vars(steps)))
    wait_until(steps.begun.exists)
    is_away = site.logged("Engine 0 is away")
    network.swallow()
    steps.go.touch()
    wait_until(steps.log.exists)
    # the reply is in the connection when it breaks
    is_away()
    network.mend()
    assert asked.get(30) == "done"
    assert steps.log.read_text() == "x"
    wait_until(lambda: site.pending() == 0)


def test_requests_that_were_lost(new_site) -> None:
    """A balanced task is sent again; a direct request fails with a clear error."""
    site = new_site(period=1000)
    rc, network = site.client, site.network
    assert rc[0].apply_async(os.getpid).get(20)
    is_away = site.logged("Engine 0 is away")
    network.swallow()
    # into the connection, before anybody sees that it is cut
    direct = rc[0].apply_async(os.getpid)
    balanced = rc.load_balanced_view().apply_async(os.getpid)
    wait_until(lambda: rc.queue_status()[0] == {"queue": 1, "completed": 1, "tasks": 1})
    is_away()
    network.mend()
    assert balanced.get(30)
    with pytest.raises(ipp.EngineError, match="broke while the request was on its way"):
        direct.get(30)
    assert rc[0].apply_async(os.getpid).get(20)


def test_a_large_result_that_was_lost_is_told(new_site, steps: Steps) -> None:
    """It was not kept, and the engine says so; the task may not be repeated unasked."""
    site = new_site()
    rc, network = site.client, site.network
    lost = rc.load_balanced_view().apply_async(task(**vars(steps), result=bytes(10_000_000)))
    wait_until(steps.begun.exists)
    is_away = site.logged("Engine 0 is away")
    network.swallow()
    steps.go.touch()
    # it has been sent when the engine does the next thing
    is_away()
    network.mend()
    # unless it was still in the engine, whole
    error = lost.exception(30)
    assert error is None or "the result was lost" in str(error)
    assert rc[0].apply_async(os.getpid).get(20)


def test_an_engine_that_is_away_gets_nothing_new(new_site) -> None:
    site = new_site(near=1)
    rc, network = site.client, site.network
    pids = rc[:].apply_async(os.getpid).get_dict(timeout=20)
    is_away, is_heard = site.logged("Engine 0 is away"), site.logged("Engine 0 is heard again")
    network.freeze()
    is_away()
    view = rc.load_balanced_view()
    assert {view.apply_async(os.getpid).get(20) for _ in range(20)} == {pids[1]}
    network.mend()
    is_heard()
    wait_until(lambda: view.apply_async(os.getpid).get(20) == pids[0])


@pytest.mark.parametrize("scheme", ["leastload", "pure"])
def test_an_engine_that_was_given_up_comes_back(new_site, steps: Steps, scheme: str) -> None:
    site = new_site(f"--scheme={scheme}", misses=30)
    rc, network = site.client, site.network
    rc[0].push({"a": 5}, block=True)
    running = rc[0].apply_async(task(**vars(steps)))
    wait_until(steps.begun.exists)
    network.cut()
    with pytest.raises(ipp.EngineError, match="its heart stopped beating"):
        running.get(30)
    assert rc.ids == []
    network.mend()
    rc.wait_for_engines(1, timeout=30)
    assert rc.ids == [0]
    steps.go.touch()
    assert rc[0].pull("a", block=False).get(20) == 5
    assert rc.load_balanced_view().apply_async(abs, ipp.Reference("a")).get(20) == 5
    assert "Dropped" not in site.log


def test_an_engine_that_was_stopped_goes_on(new_site) -> None:
    """Its process stands still until it is given up, and then does not."""
    site = new_site(near=1, misses=30)
    rc = site.client
    rc[0].push({"a": 5}, block=True)
    pid = rc[0].apply_async(os.getpid).get(20)
    is_away = site.logged("Engine 0 is away")
    os.kill(pid, signal.SIGSTOP)
    try:
        is_away()
        asked = rc[0].apply_async(pow, 2, 3)
        with pytest.raises(ipp.EngineError, match="its heart stopped beating"):
            asked.get(30)
        wait_until(lambda: rc.ids == [1])
    finally:
        os.kill(pid, signal.SIGCONT)
    wait_until(lambda: rc.ids == [0, 1], "the engine", more=lambda: site.log)
    assert rc[0].apply_async(os.getpid).get(20) == pid
    assert rc[0].pull("a", block=False).get(20) == 5
    # its agent stands for it again
    rc.send_signal(signal.SIGKILL, 0).get(20)
    wait_until(lambda: rc.ids == [1])


def test_its_id_may_have_been_given_away(new_site) -> None:
    site = new_site(near=1, misses=30)
    rc = site.client
    site.network.cut()
    wait_until(lambda: rc.ids == [1])
    other = Engines(site.engines.log.parent, site.controller.engine_file, "--IPEngine.id=0")
    try:
        wait_until(lambda: rc.ids == [0, 1])
        site.network.mend()
        wait_until(lambda: rc.ids == [0, 1, 2], "the engine", more=lambda: site.log)
        site.engines.wait_for("Engine 0 is back, and is engine 2 now")
        rc[2].execute("1/0", block=False).exception(20)
        assert rc[2].apply_async(lambda: 1 / 0).exception(20).engine_info["engine_id"] == 2
    finally:
        other.end()


def test_deaths_that_happened_meanwhile_are_told(new_site) -> None:
    site = new_site(n=2)
    rc = site.client
    pids = rc[:].apply_async(os.getpid).get_dict(timeout=20)
    are_away = [site.logged(f"Engine {n} is away") for n in (0, 1)]
    site.network.swallow()
    asked = rc[0].apply_async(pow, 2, 3)
    os.kill(pids[0], signal.SIGKILL)
    # it was told into a connection that is cut
    for is_away in are_away:
        is_away()
    site.network.mend()
    with pytest.raises(ipp.EngineError, match="killed by SIGKILL"):
        asked.get(30)
    assert rc.ids == [1]
    assert rc[1].apply_async(os.getpid).get(20) == pids[1]
