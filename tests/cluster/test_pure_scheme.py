"""The pure scheme: tasks go to engines in turn, and nobody knows where they are."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

import ipyparallel as ipp
from tests.support.processes import Controller, Engines, wait_until

NewCluster = Callable[..., tuple[ipp.Cluster, ipp.Client]]


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


class Parts:
    """A controller, a client, and engines that are started one by one."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.controller = Controller(folder, "--scheme=pure")
        self._started: list[Controller | Engines] = [self.controller]
        try:
            self.client = ipp.Client(str(self.controller.client_file))
        except BaseException:
            self.end()
            raise

    def start_engine(self, engine_id: int) -> Engines:
        engine = Engines(self._folder, self.controller.engine_file, f"--IPEngine.id={engine_id}")
        self._started.append(engine)
        engine.wait_ready()
        return engine

    def end(self) -> None:
        for process in reversed(self._started):
            process.end()


@pytest.fixture
def parts(tmp_path: Path) -> Iterator[Parts]:
    parts = Parts(tmp_path)
    yield parts
    parts.client.close()
    parts.end()


@pytest.mark.parametrize("order", [(0, 1, 2), (1, 0, 2), (2, 1, 0)])
def test_the_order_in_which_engines_come_does_not_matter(
    parts: Parts, order: tuple[int, ...]
) -> None:
    client = parts.client
    for number, engine_id in enumerate(order, start=1):
        parts.start_engine(engine_id)
        client.wait_for_engines(number, timeout=20)
        assert set(one_at_a_time(client, 2 * number)) == set(order[:number])


def test_tasks_wait_for_the_first_engine(parts: Parts) -> None:
    client = parts.client
    tasks = [client.load_balanced_view().apply_async(abs, -i) for i in range(5)]
    assert client.queue_status() == {"unassigned": 0}  # nobody counts them
    first = parts.start_engine(0)
    assert [task.get(20) for task in tasks] == list(range(5))
    first.end()
    wait_until(lambda: not client.ids, "the client to see the engine go")
    later = client.load_balanced_view().apply_async(abs, -7)
    parts.start_engine(0)
    assert later.get(20) == 7


@pytest.mark.parametrize("engines", [0, 1])
def test_a_client_ends_it_while_tasks_wait(parts: Parts, engines: int) -> None:
    for engine_id in range(engines):
        parts.start_engine(engine_id)
    parts.client.wait_for_engines(engines, timeout=20)
    tasks = [parts.client.load_balanced_view().apply_async(time.sleep, 60) for _ in range(3)]
    parts.client.shutdown(hub=True)
    for task in tasks:
        with pytest.raises(ipp.EngineError):
            task.get(20)
    assert parts.controller.wait(20) == 0, parts.controller.text


def test_tasks_that_a_dead_engine_may_have_had_fail(
    new_cluster: NewCluster, tmp_path: Path
) -> None:
    _, client = new_cluster(2, controller_args=["--scheme=pure"])
    pid = client[0].apply_sync(os.getpid)
    view = client.load_balanced_view()
    end = tmp_path / "end"
    known = [view.apply_async(wait_for_file, str(end), "begun") for _ in range(2)]
    wait_until(lambda: all(task.stdout for task in known), "the tasks to begin")
    known.sort(key=lambda task: task.engine_id)
    unknown = [view.apply_async(wait_for_file, str(end)) for _ in range(4)]
    direct = client[1].apply_async(abs, -1)
    os.kill(pid, signal.SIGKILL)
    with pytest.raises(ipp.EngineError, match=r"Engine 0 died while running .*SIGKILL"):
        known[0].get(20)
    for task in unknown:
        with pytest.raises(ipp.EngineError, match=r"may have been on engine 0, .*SIGKILL.*pure"):
            task.get(20)
        assert task.wait_for_output(20)
    assert client.ids == [1]
    assert not known[1].ready()
    assert not direct.ready()
    end.touch()
    assert known[1].get(20) != pid
    assert direct.get(20) == 1
    assert set(one_at_a_time(client, 5)) == {1}


def test_it_gives_no_tasks_to_an_engine_that_is_silent(new_cluster: NewCluster) -> None:
    """One whose host is gone, say, so that its connection still seems to be there."""
    _, client = new_cluster(
        2,
        controller_args=[
            "--scheme=pure",
            "--ping=200",
            "--HeartMonitor.max_heartmonitor_misses=15",
        ],
    )
    silent = psutil.Process(client[0].apply_sync(os.getpid))
    silent.suspend()
    try:
        lost = [client.load_balanced_view().apply_async(abs, -1) for _ in range(2)]
        assert client.wait(lost, timeout=20)
        failed = [task for task in lost if not task.successful()]
        assert len(failed) == 1
        with pytest.raises(ipp.EngineError, match=r"may have been on engine 0"):
            failed[0].get()
        assert set(one_at_a_time(client, 10)) == {1}
    finally:
        silent.resume()


def test_what_it_would_not_heed_is_refused(parts: Parts) -> None:
    parts.start_engine(0)
    view = parts.client.load_balanced_view()
    first = view.apply_async(abs, -1)
    with view.temp_flags(after=first, retries=1):
        for call in view.apply, view.map, view.imap:
            with pytest.raises(RuntimeError, match="does not heed after, retries"):
                call(abs, [1])
    where = ipp.depend(bool, 1)(abs)
    for call in view.apply_async, view.map_async, view.imap:
        with pytest.warns(UserWarning, match="abs depends on"):
            call(where, -1 if call == view.apply_async else [-1])
    assert list(view.imap(abs, [-1, -2])) == [1, 2]
    assert view.map_sync(abs, range(100), chunksize="auto") == list(range(100))
