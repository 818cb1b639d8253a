"""Engines are restarted: by the cluster as sets, by a client one by one."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

import ipyparallel as ipp
from tests.support.processes import wait_until

NewCluster = Callable[..., tuple[ipp.Cluster, ipp.Client]]


def pids(client: ipp.Client) -> list[int]:
    return client[:].apply_async(os.getpid).get(20)


def sleep(begun: str) -> None:
    Path(begun).touch()
    time.sleep(60)


def begin(client: ipp.Client, target: int, begun: Path) -> ipp.AsyncResult:
    """A task that does not end by itself, once it has begun."""
    task = client[target].apply_async(sleep, str(begun))
    wait_until(begun.exists, "the task to begin")
    return task


# ---- by the cluster


@pytest.mark.parametrize("is_async", [False, True])
def test_a_set_keeps_its_size_and_ids_and_its_tasks_are_told(
    is_async: bool, new_cluster: NewCluster, tmp_path: Path
) -> None:
    cluster, client = new_cluster(2)
    (name,) = cluster.engines
    old = pids(client)
    task = begin(client, 0, tmp_path / "begun")
    retried = client.load_balanced_view(retries=1).apply_async(abs, -1)
    if is_async:
        asyncio.run(cluster.restart_engines(name))
    else:
        cluster.restart_engines_sync(name)
    client.wait_for_engines(2, timeout=30)
    assert client.ids == [0, 1]
    assert not set(old) & set(pids(client))
    with pytest.raises(ipp.EngineError, match=r"Engine 0 died .*: it was restarted$"):
        task.get(20)
    assert retried.get(20) == 1
    assert list(cluster.engines) == [name]
    assert cluster.engine_set.n == 2


def test_only_the_set_that_is_named(new_cluster: NewCluster) -> None:
    cluster, client = new_cluster(1)
    second = cluster.start_engines_sync(2)
    client.wait_for_engines(3, timeout=30)
    old = pids(client)
    cluster.restart_engines_sync(second)
    client.wait_for_engines(3, timeout=30)
    assert client.ids == [0, 1, 2]
    assert set(old) & set(pids(client)) == {old[0]}


def test_an_engine_that_had_died_is_back_under_its_id(new_cluster: NewCluster) -> None:
    cluster, client = new_cluster(2)
    with pytest.raises(ipp.EngineError):
        client[0].apply_async(os._exit, 3).get(20)
    wait_until(lambda: client.ids == [1])
    cluster.restart_engines_sync()
    client.wait_for_engines(2, timeout=30)
    assert client.ids == [0, 1]


def test_a_set_that_has_ended_is_started_again(new_cluster: NewCluster) -> None:
    cluster, client = new_cluster(2, engine_restart="never")
    (name,) = cluster.engines
    dead = cluster.engines[name]
    client[:].apply_async(os._exit, 3).wait(20)
    wait_until(lambda: not cluster.engines)
    cluster.restart_engines_sync(name)
    assert list(cluster.engines) == [name]
    assert cluster.engines[name] is not dead
    client.wait_for_engines(2, timeout=30)
    assert len(set(pids(client))) == 2


def test_a_set_that_was_stopped_stays_so(new_cluster: NewCluster) -> None:
    cluster, _ = new_cluster(1)
    (name,) = cluster.engines
    cluster.stop_engines_sync()
    cluster.restart_engines_sync()
    assert cluster.engines == {}
    with pytest.raises(KeyError, match="No engine set"):
        cluster.restart_engines_sync(name)


def test_from_another_process_that_found_the_cluster(new_cluster: NewCluster) -> None:
    cluster, client = new_cluster(2, engine_restart="on-failure")
    old = pids(client)
    found = ipp.Cluster.from_file(cluster.cluster_file)
    assert found.engine_restart == "on-failure"
    found.restart_engines_sync()
    client.wait_for_engines(2, timeout=30)
    assert client.ids == [0, 1]
    assert not set(old) & set(pids(client))
    assert cluster.engine_set.running


# ---- by a client


def test_a_client_restarts_engines_under_their_ids(new_cluster: NewCluster, tmp_path: Path) -> None:
    _, client = new_cluster(2)
    client[:].push({"a": 1}, block=True)
    old = pids(client)
    task = begin(client, 1, tmp_path / "begun")
    done = client.restart_engines(1, block=True)
    assert done.get(20)
    assert client.ids == [0, 1]
    with pytest.raises(ipp.EngineError, match=r"Engine 1 died .*: it was restarted$"):
        task.get(20)
    new = pids(client)
    assert new[0] == old[0]
    assert new[1] != old[1]
    assert client[:]["'a' in globals()"] == [True, False]


def test_without_waiting_all_are_restarted_all_the_same(new_cluster: NewCluster) -> None:
    _, client = new_cluster(2)
    old = client._messenger.engines.uuids
    client.restart_engines().get(20)
    uuids = lambda: set(client._messenger.engines.uuids.values())  # noqa: E731
    wait_until(lambda: len(uuids()) == 2 and not uuids() & set(old.values()))
    assert client.ids == [0, 1]


def test_shutdown_can_restart(new_cluster: NewCluster) -> None:
    _, client = new_cluster(2)
    old = pids(client)
    client.shutdown(restart=True, block=True)
    assert client.ids == [0, 1]
    assert not set(old) & set(pids(client))
    with pytest.raises(ValueError, match="only engines can be restarted"):
        client.shutdown(restart=True, hub=True)


def test_who_is_not_there_cannot_be_restarted(new_cluster: NewCluster) -> None:
    _, client = new_cluster(1)
    with pytest.raises(IndexError):
        client.restart_engines(7)
    client.close()
    with pytest.raises(ipp.error.ClientClosed):
        client.restart_engines()
