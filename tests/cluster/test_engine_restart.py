"""Engines that die are started again, if that is wanted; those that are told to end are not."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from traitlets.config import Config

import ipyparallel as ipp
from tests.support.processes import wait_until

NewCluster = Callable[..., tuple[ipp.Cluster, ipp.Client]]


def restarting(limit: int = 5, *more: str, delay: float = 0.05) -> dict[str, Any]:
    """Options of a cluster whose engines are started again, after short delays."""
    config = Config()
    config.EngineLauncher.engine_args = [
        f"--IPEngine.restart_limit={limit}",
        f"--IPEngine.restart_delay={delay}",
        *more,
    ]
    return {"engine_restart": "on-failure", "config": config}


def kill_oneself(begun: str = "") -> None:
    if begun:
        Path(begun).touch()
    os.kill(os.getpid(), signal.SIGKILL)


def kill_once(marker: str, value: Any) -> Any:
    """Die the first time, and return `value` the second time."""
    try:
        os.close(os.open(marker, os.O_CREAT | os.O_EXCL))
    except FileExistsError:
        return value
    return os.kill(os.getpid(), signal.SIGKILL)


class Events:
    """What a client hears of engines."""

    def __init__(self, client: ipp.Client) -> None:
        self._engines = client._messenger.engines
        self.heard: list[tuple[str, int]] = []
        self._engines.callbacks.append(lambda e: self.heard.append((e.event, e.id)))

    def wait_for(self, n: int) -> None:
        wait_until(lambda: len(self.heard) >= n, f"{n} events", more=lambda: self.heard)


def test_one_that_is_killed_is_back_under_its_id_with_nothing_in_its_namespace(
    new_cluster: NewCluster,
) -> None:
    _, client = new_cluster(2, **restarting(5, "-c", "started = True"))
    client[:].push({"mine": 1}, block=True)
    pids = client[:].apply_async(os.getpid).get(20)
    events = Events(client)
    with pytest.raises(ipp.EngineError, match=r"Engine 1 died .*killed by SIGKILL"):
        client[1].apply_async(kill_oneself).get(20)
    events.wait_for(2)
    assert events.heard == [("unregister", 1), ("register", 1)]
    assert client.ids == [0, 1]
    assert client[:]["'mine' in globals()"] == [True, False]
    assert client[:]["started"] == [True, True]
    again = client[:].apply_async(os.getpid).get(20)
    assert again[0] == pids[0]
    assert again[1] != pids[1]


def test_tasks_that_may_be_retried_finish_though_their_only_engine_dies(
    new_cluster: NewCluster, tmp_path: Path
) -> None:
    cluster, client = new_cluster(1, **restarting())
    (engine_set,) = cluster.engines.values()
    view = client.load_balanced_view(retries=3)
    tasks = [view.apply_async(kill_once, str(tmp_path / str(i)), i) for i in range(2)]
    tasks += [view.apply_async(abs, -i) for i in range(2, 10)]
    assert [task.get(60) for task in tasks] == list(range(10))
    assert engine_set.running
    assert list(cluster.engines.values()) == [engine_set]


def test_one_that_dies_too_often_is_given_up_and_that_is_told(new_cluster: NewCluster) -> None:
    cluster, client = new_cluster(2, **restarting(2))
    (engine_set,) = cluster.engines.values()
    told = []
    for _ in range(3):
        wait_until(lambda: 0 in client.ids, more=engine_set.get_output)
        with pytest.raises(ipp.EngineError) as caught:
            client[0].apply_async(kill_oneself).get(20)
        told.append(str(caught.value).partition(": ")[2])
    killed = "killed by SIGKILL"
    why_not = f"{killed}; it is not started again, as it has died 3 times in a row"
    assert told == [killed, killed, why_not]
    assert client.ids == [1]
    assert engine_set.get_output().count(why_not) == 1
    assert client[1].apply_async(abs, -1).get(20) == 1


def be_stuck(begun: str) -> None:
    import ctypes

    Path(begun).touch()
    ctypes.PyDLL(None).sleep(60)


def ignore_interrupts(begun: str) -> None:
    Path(begun).touch()
    while True:
        try:
            time.sleep(60)
        except KeyboardInterrupt:
            continue


@pytest.mark.parametrize("task", [None, ignore_interrupts, be_stuck])
def test_one_that_is_shut_down_is_not_started_again(
    task: Callable[[str], None] | None, new_cluster: NewCluster, tmp_path: Path
) -> None:
    cluster, client = new_cluster(2, **restarting())
    (engine_set,) = cluster.engines.values()
    if task is not None:
        begun = tmp_path / "begun"
        client[0].apply_async(task, str(begun))
        wait_until(begun.exists, "the task to begin")
    client.shutdown(targets=0, block=True)
    client.shutdown(targets=1, block=True)
    # its end shows that nobody was started again
    assert engine_set.join_sync(30)["exit_code"] == 0
    assert "Starting another" not in engine_set.get_output()


@pytest.mark.parametrize("code", ["exit()", "import os; os._exit(0)"])
def test_one_that_ends_by_itself_is_not_started_again(code: str, new_cluster: NewCluster) -> None:
    cluster, client = new_cluster(1, **restarting())
    (engine_set,) = cluster.engines.values()
    client[0].execute(code)
    assert engine_set.join_sync(30)["exit_code"] == 0
    assert "Starting another" not in engine_set.get_output()


def test_one_that_dies_while_it_starts_is_started_again(
    new_cluster: NewCluster, tmp_path: Path
) -> None:
    die = f"""
import os, signal
try:
    os.close(os.open({str(tmp_path / "died")!r}, os.O_CREAT | os.O_EXCL))
    os.kill(os.getpid(), signal.SIGKILL)
except FileExistsError:
    pass
"""
    cluster, client = new_cluster(1, **restarting(5, "-c", die))
    assert client[0].apply_async(abs, -1).get(20) == 1
    log = cluster.engine_set.get_output()
    assert "is gone: killed by SIGKILL" in log
    assert "Engine 0 left before it was ready: killed by SIGKILL" in (
        cluster.controller.get_output()
    )


def test_a_cluster_is_stopped_while_an_engine_waits_to_be_started_again(
    new_cluster: NewCluster,
) -> None:
    cluster, client = new_cluster(2, **restarting(delay=1000))
    (engine_set,) = cluster.engines.values()
    client[0].apply_async(kill_oneself).wait(20)
    wait_until(lambda: client.ids == [0, 1], more=engine_set.get_output)
    client[0].apply_async(kill_oneself).wait(20)
    wait_until(lambda: "in its place in 30 s" in engine_set.get_output())
    cluster.stop_engines_sync()
    assert engine_set.stop_data["exit_code"] == 0


def test_without_being_asked_nobody_is_started_again(new_cluster: NewCluster) -> None:
    cluster, client = new_cluster(1)
    (engine_set,) = cluster.engines.values()
    client[0].apply_async(kill_oneself)
    assert engine_set.join_sync(30)["exit_code"] == 128 + signal.SIGKILL
    assert "Starting another" not in engine_set.get_output()


def test_deaths_are_told_though_agents_die_too_often(new_cluster: NewCluster) -> None:
    import psutil

    cluster, client = new_cluster(2)
    (engine_set,) = cluster.engines.values()
    engines = client[:].apply_async(os.getpid).get(20)
    supervisor = psutil.Process(engine_set.pid)

    def agents() -> list[psutil.Process]:
        return [child for child in supervisor.children() if child.pid not in engines]

    for _ in range(11):
        for agent in wait_until(agents):
            agent.kill()
            wait_until(lambda agent=agent: not agent.is_running())
    wait_until(lambda: "The agent died too often" in engine_set.get_output())
    # long before the heart would tell
    with pytest.raises(ipp.EngineError, match="killed by SIGKILL"):
        client[0].apply_async(kill_oneself).get(20)
    with pytest.raises(ipp.EngineError, match="killed by SIGKILL"):
        client[1].apply_async(kill_oneself).get(20)
