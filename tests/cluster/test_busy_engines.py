"""Balanced tasks behind direct ones, which the scheduler knows nothing of."""

from __future__ import annotations

import os
import time
from pathlib import Path

from tests.support.processes import wait_until


def hold(folder: str) -> str:
    """Run until the folder has a file of the name ``go``."""
    folder_ = Path(folder)
    (folder_ / "holding").touch()
    while not (folder_ / "go").exists():
        time.sleep(0.01)
    return "held"


def fail_until_held(folder: str) -> str:
    """Fail as long as there is no file ``holding``: the next try may then be behind `hold`."""
    folder_ = Path(folder)
    (folder_ / "failed").touch()
    if not (folder_ / "holding").exists():
        raise ValueError
    return "done"


def test_time_before_its_turn_does_not_count(new_cluster, tmp_path):
    _, client = new_cluster(1)
    held = client[:].apply_async(hold, str(tmp_path))
    wait_until((tmp_path / "holding").exists)
    view = client.load_balanced_view()
    with view.temp_flags(time_limit=0.5):
        tasks = [view.apply_async(str, i) for i in range(3)]
    # the first of them is taken back a few times
    assert not view.wait(tasks, timeout=2.0)
    (tmp_path / "go").touch()
    assert [task.get(30) for task in tasks] == ["0", "1", "2"]
    assert held.get(30) == ["held"]


def test_another_try_that_has_not_begun_is_not_taken_for_the_one_before(new_cluster, tmp_path):
    _, client = new_cluster(1)
    (pid,) = client[:].apply_sync(os.getpid)
    view = client.load_balanced_view()
    with view.temp_flags(retries=1_000_000, time_limit=1.0):
        task = view.apply_async(fail_until_held, str(tmp_path))
    wait_until((tmp_path / "failed").exists)
    held = client[:].apply_async(hold, str(tmp_path))
    wait_until((tmp_path / "holding").exists)
    # over its time limit, and the grace after that: the engine would have been killed by then
    assert not task.wait(4.0)
    (tmp_path / "go").touch()
    assert task.get(30) == "done"
    assert held.get(30) == ["held"]
    assert client[:].apply_sync(os.getpid) == [pid]
