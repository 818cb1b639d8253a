"""Everything goes wrong, at random and under load; and every task ends, and nothing is left.

For longer, and otherwise::

    IPP_CHAOS_SECONDS=600 IPP_CHAOS_SEED=7 pytest --timeout 900 tests/cluster/test_chaos.py
"""

from __future__ import annotations

import os
import uuid
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

import ipyparallel as ipp
from benchmarks.memory import private
from tests.support.chaos.site import ENGINES, PER_HOST, Site
from tests.support.chaos.troubles import sequence
from tests.support.processes import marked, wait_until

SECONDS = float(os.environ.get("IPP_CHAOS_SECONDS", "20"))
SEED = int(os.environ.get("IPP_CHAOS_SEED", "1"))

#: In the environment of all processes of the test.
MARK = "CHAOS_TEST_MARK"

#: Bytes by which the controller may grow: more than the tasks of a moment and of clients that died,
#: less than all that it has passed on.
GROWTH = 150_000_000


@pytest.fixture
def mark(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> str:
    mark = uuid.uuid4().hex
    monkeypatch.setenv(MARK, mark)
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    monkeypatch.setenv("TMPDIR", str(temporary))
    return mark


@pytest.fixture
def site(mark: str, tmp_path: Path, restore: bool) -> Iterator[Site]:
    site = Site(tmp_path, SEED, restore=restore)
    yield site
    site.end()
    print(f"seed {SEED}, {SECONDS:g} s; logs in {tmp_path}", *site.log, sep="\n")
    for process in marked(MARK, mark):
        process.kill()


@pytest.mark.timeout(SECONDS + 180)
@pytest.mark.parametrize("restore", [False, True], ids=["controller-lives", "controller-dies"])
def test_every_task_ends_whatever_happens(
    site: Site, restore: bool, mark: str, tmp_path: Path
) -> None:
    before = private([site.controller.pid])
    site.run(list(sequence(SEED, SECONDS, restore=restore)))
    site.calm()
    site.note("calm")
    reports = site.stop_clients()
    site.note("all tasks have ended")
    for report in reports:
        print(report)
    outcomes = sum((Counter(report["outcomes"]) for report in reports), Counter())
    assert not [outcome for outcome in outcomes if outcome.startswith("WRONG")]
    assert not [task for report in reports for task in report["unfinished"]]
    assert outcomes["right"] > 100

    with ipp.Client(site.controller.client_file) as client:
        n = site.engine_count()
        assert n > ENGINES - PER_HOST
        wait_until(lambda: len(client.ids) == n, f"{n} engines", more=lambda: client.ids)
        assert len(set(client[:].apply_async(os.getpid).get(20))) == n
        assert client.load_balanced_view().map_async(abs, range(-100, 0)).get(20) == [
            *range(100, 0, -1)
        ]
        # what clients that died have left behind has ended, too, and there is a result
        wait_until(lambda: idle(client), "all tasks to end", more=client.queue_status)
        wait_until(lambda: not unended(client), "all records to end", more=lambda: unended(client))
        latest = client.hub_history()[-100:]
        assert len(client.get_result(latest).get(20, return_exceptions=True)) == 100
        assert private([site.controller.pid]) - before < GROWTH
        shared = shared_memory(mark)
        site.note("the cluster works")
        client.shutdown(hub=True)
    wait_until(lambda: not marked(MARK, mark), "all to end", more=lambda: marked(MARK, mark))
    site.note("all processes have ended")
    assert [path for path in shared if path.exists()] == []
    assert list((tmp_path / "tmp").rglob("*")) == []
    if not restore:
        assert list((tmp_path / "profile" / "security").glob("ipcontroller*[!0-9].json")) == []


def idle(client: ipp.Client) -> bool:
    """Whether no engine has anything to do, and nothing waits for one."""
    status = client.queue_status()
    waiting = status.pop("unassigned")
    return not waiting and not any(s["queue"] + s["tasks"] for s in status.values())


def unended(client: ipp.Client) -> list[dict[str, Any]]:
    """The records of tasks that the hub does not know to have ended."""
    return client.db_query({"completed": None}, keys=["queue", "engine_uuid", "submitted"])


def shared_memory(mark: str) -> set[Path]:
    """The files in shared memory that the processes of the test have mapped."""
    found = set()
    for process in marked(MARK, mark):
        try:
            maps = process.memory_maps()
        except psutil.Error:
            continue
        found.update(Path(m.path) for m in maps if m.path.startswith("/dev/shm/"))
    return found
