"""An engine is killed and another takes its place, under the same id."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import psutil
import pytest

import ipyparallel as ipp
from tests.support.processes import wait_until

NewCluster = Callable[..., tuple[ipp.Cluster, ipp.Client]]

WHY = "it was killed: task X ran longer than its time limit of 2 s"


def keep_the_interpreter(begun: str) -> None:
    """Sleep in C code that does not let other threads run Python code."""
    import ctypes

    Path(begun).touch()
    ctypes.PyDLL(None).sleep(60)


def be_deaf(begun: str) -> None:
    import signal

    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    keep_the_interpreter(begun)


def sleep(begun: str) -> None:
    Path(begun).touch()
    time.sleep(60)


class Bench:
    """A cluster whose engines are replaced."""

    def __init__(self, cluster: ipp.Cluster, client: ipp.Client, folder: Path) -> None:
        self.cluster, self.client, self._folder = cluster, client, folder
        self.n = len(client.ids)

    def begin(
        self, target: int, function: Callable[[str], None] = keep_the_interpreter
    ) -> ipp.AsyncResult:
        """Start a task, and return when it has begun."""
        begun = self._folder / f"begun-{time.monotonic_ns()}"
        task = self.client[target].apply_async(function, str(begun))
        wait_until(begun.exists, "the task to begin")
        return task

    def ask(self, target: int) -> Future[Any]:
        """Ask for another engine; the answer."""
        messenger = self.client._messenger
        uuid = messenger.engines.uuid(target)
        return messenger.request("control", "replace_request", {"reason": WHY}, uuid)

    def replace(self, *targets: int) -> None:
        """Have engines replaced, all at once; return when the old ones are gone."""
        engines = self.client._messenger.engines
        old = {engines.uuid(target) for target in targets}
        for answer in [self.ask(target) for target in targets]:
            assert answer.result(20) == {"status": "ok"}
        wait_until(lambda: old.isdisjoint(engines.uuids.values()), "the engines to go")

    def pids(self) -> list[int]:
        """Of the engines, when all are there."""
        self.client.wait_for_engines(self.n, timeout=30)
        return self.client[:].apply_async(os.getpid).get(20)

    @property
    def log(self) -> str:
        (engine_set,) = self.cluster.engines.values()
        return engine_set.get_output()

    @property
    def supervisor(self) -> psutil.Process:
        (engine_set,) = self.cluster.engines.values()
        return psutil.Process(engine_set.pid)


@pytest.fixture
def new_bench(new_cluster: NewCluster, tmp_path: Path) -> Callable[..., Bench]:
    return lambda n, **options: Bench(*new_cluster(n, **options), tmp_path)


def test_an_engine_stuck_in_c_code_is_replaced_again_and_again(
    new_bench: Callable[..., Bench],
) -> None:
    bench = new_bench(2)
    pids = bench.pids()
    for number in range(2):
        bench.client[:].push({"known": number}, block=True)
        task = bench.begin(0)
        queued = bench.client[0].apply_async(abs, -1)
        balanced = bench.client.load_balanced_view(targets=0).apply_async(abs, -1)
        bench.replace(0)
        for failed in (task, queued, balanced):
            with pytest.raises(ipp.EngineError, match=WHY):
                failed.get(20)
        old, pids = pids, bench.pids()
        assert bench.client.ids == [0, 1]
        assert pids[0] != old[0]
        assert pids[1] == old[1]
        assert bench.client[:]["'known' in globals()"] == [False, True]
        assert bench.client.load_balanced_view(targets=0).apply_async(abs, -1).get(20) == 1
    assert bench.log.count(f"is gone: {WHY}") == 2

    children = bench.supervisor.children(recursive=True)
    (engine_set,) = bench.cluster.engines.values()
    bench.cluster.stop_engines_sync()
    _, alive = psutil.wait_procs(children, timeout=20)
    assert not alive
    assert engine_set.stop_data["exit_code"] == 0


def test_all_engines_are_replaced_at_once(new_bench: Callable[..., Bench]) -> None:
    bench = new_bench(3)
    old = bench.pids()
    tasks = [bench.begin(0), bench.begin(1, sleep), bench.begin(2)]
    bench.replace(0, 1, 2)
    for task in tasks:
        with pytest.raises(ipp.EngineError, match=WHY):
            task.get(20)
    new = bench.pids()
    assert bench.client.ids == [0, 1, 2]
    assert len({*old, *new}) == 6


def test_the_new_engine_has_what_the_old_one_had(new_bench: Callable[..., Bench]) -> None:
    args = ["-c", "started = True", "--resources=gpu=1"]
    bench = new_bench(1, config=_args(args))
    assert bench.client[0]["started"] is True
    bench.replace(0)
    wait_until(lambda: bench.log.count("is ready") == 2, more=lambda: bench.log)
    bench.client.wait_for_engines(1, timeout=20)
    assert bench.client[0]["started"] is True
    controller = bench.cluster.controller.get_output()
    assert controller.count("Engine 0 is ready, with gpu=1") == 2
    assert controller.index(f"Engine 0 is gone: {WHY}") < controller.rindex("Engine 0 is ready")


def _args(args: list[str]) -> Any:
    from traitlets.config import Config

    config = Config()
    config.EngineLauncher.engine_args = args
    return config


def test_one_that_is_stopping_is_not_replaced(new_bench: Callable[..., Bench]) -> None:
    bench = new_bench(2)
    task = bench.begin(0, be_deaf)
    # it does not hear this, and is killed for that a moment later
    bench.client.send_signal("SIGTERM", 0, block=True)
    with pytest.raises(ipp.EngineError, match=r"is stopping|is gone"):
        bench.ask(0).result(20)
    with pytest.raises(ipp.EngineError, match="did not end"):
        task.get(20)
    wait_until(lambda: bench.client.ids == [1])
    assert "in its place" not in bench.log


def test_when_the_agent_died_another_one_is_asked(new_bench: Callable[..., Bench]) -> None:
    bench = new_bench(1)
    (pid,) = bench.pids()
    (agent,) = (child for child in bench.supervisor.children() if child.pid != pid)
    agent.kill()
    wait_until(lambda: "starting another" in bench.log, more=lambda: bench.log)
    engines = bench.client._messenger.engines
    old = engines.uuid(0)
    # until it has said for whom it stands, there is nobody to ask
    wait_until(lambda: bench.ask(0).exception(20) is None)
    wait_until(lambda: engines.uuids not in ({}, {0: old}), more=lambda: bench.log)
    assert bench.pids() != [pid]
