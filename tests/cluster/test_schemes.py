"""The rules by which engines are chosen, each on a real cluster."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

import ipyparallel as ipp
from tests.support.processes import Controller, wait_until

NewCluster = Callable[..., tuple[ipp.Cluster, ipp.Client]]

SCHEMES = ["leastload", "lru", "plainrandom", "pure", "twobin", "weighted"]


def wait_for_file(path: str, say: str = "") -> int:
    """Run until there is a file; the pid of the engine."""
    if say:
        print(say, flush=True)
    while not os.path.exists(path):
        time.sleep(0.01)
    return os.getpid()


def one_at_a_time(client: ipp.Client, n: int) -> list[int]:
    """The engines that run n tasks, each of which is submitted when the one before has ended."""
    view = client.load_balanced_view()
    results = []
    for i in range(n):
        results.append(view.apply_async(abs, i))
        assert results[-1].get(20) == i
    return [result.engine_id for result in results]


@pytest.mark.parametrize("scheme", SCHEMES)
def test_tasks_run_under_every_scheme(new_cluster: NewCluster, scheme: str) -> None:
    _, client = new_cluster(2, controller_args=[f"--scheme={scheme}"])
    assert client._task_scheme == scheme
    view = client.load_balanced_view()
    assert view.map_sync(abs, range(-100, 0)) == list(range(100, 0, -1))
    # with chance, all of them run on one engine once in 2**63 times
    used = one_at_a_time(client, 64)
    assert set(used) == {0, 1}
    if scheme in ("leastload", "lru", "pure"):
        assert used in ([0, 1] * 32, [1, 0] * 32)
    status = client.queue_status()
    assert status["unassigned"] == status[0]["tasks"] == status[1]["tasks"] == 0


@pytest.mark.parametrize("scheme", ["lru", "plainrandom", "pure", "twobin"])
def test_what_does_not_look_at_loads_gives_tasks_to_an_engine_that_is_busy(
    new_cluster: NewCluster, tmp_path: Path, scheme: str
) -> None:
    """It may, since an engine may hold any number of them here."""
    _, client = new_cluster(2, controller_args=[f"--scheme={scheme}", "--hwm=0"])
    view = client.load_balanced_view()
    end = tmp_path / "end"
    long = view.apply_async(wait_for_file, str(end), "begun")
    wait_until(lambda: long.stdout, "the task to begin")
    short = [view.apply_async(abs, i) for i in range(40)]
    end.touch()
    assert client.wait([long, *short], timeout=20)
    used = [result.engine_id for result in short]
    if scheme in ("lru", "pure"):
        assert used.count(long.engine_id) == 20
    else:  # with chance, there is none of them once in 2**40 times
        assert long.engine_id in used


@pytest.mark.parametrize("scheme", ["leastload", "weighted"])
def test_what_looks_at_loads_chooses_an_idle_engine_rather_than_a_busy_one(
    new_cluster: NewCluster, tmp_path: Path, scheme: str
) -> None:
    _, client = new_cluster(2, controller_args=[f"--scheme={scheme}", "--hwm=0"])
    end = tmp_path / "end"
    long = client.load_balanced_view().apply_async(wait_for_file, str(end), "begun")
    wait_until(lambda: long.stdout, "the task to begin")
    # weighted draws the busy one both times once in 10**12 times
    assert set(one_at_a_time(client, 20)) == {1 - long.engine_id}
    end.touch()
    assert long.get(20)


def test_an_unknown_scheme_is_refused(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match=r"scheme_name.*'fastest'"):
        Controller(tmp_path, "--scheme=fastest").end()
