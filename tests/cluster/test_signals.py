"""Signals arrive, whatever an engine is doing."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

import ipyparallel as ipp
from tests.support.processes import wait_until

NewCluster = Callable[..., tuple[ipp.Cluster, ipp.Client]]


def keep_the_interpreter(begun: str, deaf: bool = False) -> None:
    """Sleep in C code that does not let other threads run Python code."""
    import ctypes

    if deaf:
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
    Path(begun).touch()
    ctypes.PyDLL(None).sleep(60)


def backtrack(begun: str) -> None:
    import re

    Path(begun).touch()
    re.match("(a+)+$", "a" * 40 + "b")


def sleep(begun: str) -> None:
    Path(begun).touch()
    time.sleep(60)


def wait_for_a_process(begun: str) -> None:
    import subprocess

    subprocess.run(["sh", "-c", f"touch {begun}; exec sleep 60"])


class Bench:
    """A cluster, and tasks on it that are known to have begun."""

    def __init__(self, new_cluster: NewCluster, folder: Path, n: int) -> None:
        self.cluster, self.client = new_cluster(n)
        self._folder = folder

    def begin(self, function: Callable[..., None], target: int = 0, **kwargs: object) -> object:
        """Start a task, and return when it has begun."""
        begun = self._folder / f"begun-{time.monotonic_ns()}"
        task = self.client[target].apply_async(function, str(begun), **kwargs)
        wait_until(begun.exists, "the task to begin")
        return task

    @property
    def supervisor(self) -> psutil.Process:
        (engine_set,) = self.cluster.engines.values()
        return psutil.Process(engine_set.pid)

    def agent(self) -> psutil.Process | None:
        """The child of the supervisor that is no engine."""
        engines = {process.pid for process in self.engines}
        for child in self.supervisor.children():
            if child.pid not in engines:
                return child
        return None


@pytest.fixture
def bench(new_cluster: NewCluster, tmp_path: Path) -> Bench:
    bench = Bench(new_cluster, tmp_path, 2)
    bench.engines = [psutil.Process(pid) for pid in bench.client[:].apply_sync(os.getpid)]
    return bench


def test_an_interrupt_ends_what_is_running_and_nothing_else(bench: Bench) -> None:
    client = bench.client
    for function in (sleep, wait_for_a_process, keep_the_interpreter, backtrack):
        task = bench.begin(function)
        client.send_signal("SIGINT", 0, block=True)
        with pytest.raises(ipp.RemoteError, match="KeyboardInterrupt"):
            task.get(20)
    assert client[:].apply_sync(os.getpid) == [process.pid for process in bench.engines]


def test_an_interrupt_of_an_idle_engine_is_only_logged(bench: Bench) -> None:
    client = bench.client
    assert client.send_signal(signal.SIGINT, block=True).get() == [{"status": "ok"}] * 2
    assert client[:].apply_sync(os.getpid) == [process.pid for process in bench.engines]
    (engine_set,) = bench.cluster.engines.values()
    assert engine_set.get_output().count("Ignoring SIGINT") == 2


@pytest.mark.parametrize("function", [keep_the_interpreter, backtrack])
def test_a_stuck_engine_can_be_killed(bench: Bench, function: Callable[..., None]) -> None:
    task = bench.begin(function)
    bench.client.send_signal("SIGKILL", 0)
    with pytest.raises(ipp.EngineError, match="killed by SIGKILL"):
        task.get(20)
    assert bench.client.ids == [1]
    with pytest.raises(IndexError):
        bench.client.send_signal("SIGKILL", 0)


@pytest.mark.parametrize("way", ["signal", "shutdown"])
def test_an_engine_that_cannot_hear_is_killed_after_a_while(bench: Bench, way: str) -> None:
    task = bench.begin(keep_the_interpreter, deaf=True)
    if way == "signal":
        bench.client.send_signal("SIGTERM", 0)
    else:
        bench.client.shutdown(targets=0)
    with pytest.raises(ipp.EngineError, match="killed by SIGKILL, since it did not end"):
        task.get(20)
    assert not psutil.pid_exists(bench.engines[0].pid)


def test_an_engine_that_can_hear_ends_by_itself(bench: Bench) -> None:
    task = bench.begin(backtrack)
    bench.client.send_signal("SIGTERM", 0)
    with pytest.raises(ipp.KernelError):
        task.get(20)
    gone, _ = psutil.wait_procs(bench.engines[:1], timeout=20)
    (engine_set,) = bench.cluster.engines.values()
    assert gone
    assert "SIGKILL" not in engine_set.get_output()


@pytest.mark.parametrize("sig", ["SIGFOO", "sigint", "SIG_IGN", 1000, -1])
def test_what_is_no_signal_is_told(bench: Bench, sig: int | str) -> None:
    with pytest.raises(ipp.RemoteError, match=f"no signal .*{sig}.* here; it must be a name") as e:
        bench.client.send_signal(sig, 0, block=True).get()
    assert e.value.elist[0][0] == "ValueError"


@pytest.mark.parametrize("sig", [True, 2.0, None, b"SIGINT"])
def test_what_cannot_be_a_signal_is_refused(bench: Bench, sig: object) -> None:
    with pytest.raises(TypeError, match="a signal must be a name"):
        bench.client.send_signal(sig)


def test_a_dead_agent_is_replaced(bench: Bench) -> None:
    first = bench.agent()
    assert first is not None
    first.kill()
    (engine_set,) = bench.cluster.engines.values()
    wait_until(lambda: "starting another" in engine_set.get_output())
    task = bench.begin(keep_the_interpreter)

    def ask() -> bool:
        # until the new agent has said whom it serves, the engine is asked, and cannot answer
        bench.client.send_signal("SIGKILL", 0)
        return bench.client.ids == [1]

    wait_until(lambda: 0 not in bench.client.ids or ask())
    with pytest.raises(ipp.EngineError, match="killed by SIGKILL"):
        task.get(20)
    assert bench.agent() not in (None, first)


def test_a_signal_that_is_lost_with_the_agent_is_told(bench: Bench) -> None:
    agent = bench.agent()
    assert agent is not None
    agent.suspend()
    signals = bench.client.send_signal(0, block=False)
    # what comes after them on their way is answered by the engines: they have reached the agent
    bench.client.clear(block=False).get(20)
    agent.kill()
    with pytest.raises(ipp.RemoteError, match="died before it said whether the signal arrived"):
        signals.get(20)


def test_nothing_is_left_when_the_supervisor_dies(bench: Bench) -> None:
    agent = bench.agent()
    assert agent is not None
    stuck = bench.begin(keep_the_interpreter, deaf=True)
    bench.supervisor.kill()
    _, alive = psutil.wait_procs([agent, *bench.engines], timeout=20)
    assert not alive
    with pytest.raises(ipp.EngineError, match="its supervisor died"):
        stuck.get(20)


def test_signals_for_all_of_a_terminal_do_not_end_the_agent(bench: Bench) -> None:
    agent = bench.agent()
    assert agent is not None
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1):
        agent.send_signal(number)
    task = bench.begin(keep_the_interpreter)
    bench.client.send_signal("SIGKILL", 0)
    with pytest.raises(ipp.EngineError, match="killed by SIGKILL"):
        task.get(20)
    assert bench.agent() == agent
    bench.cluster.stop_engines_sync()
    psutil.wait_procs([agent], timeout=20)
    assert not agent.is_running()
