"""Clearing the namespace, and aborting what waits."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import pytest

import ipyparallel as ipp
from tests.support.waiting import wait_for_queue


def hold(begun: str, go_on: str) -> str:
    Path(begun).touch()
    while not Path(go_on).exists():
        time.sleep(0.01)
    return "kept" if "kept" in sys.modules["__main__"].__dict__ else "cleared"


def next_number() -> int:
    number: int = sys.modules["__main__"].__dict__["base"]
    return number + 1


@pytest.fixture
def held(client: ipp.Client, tmp_path: Path):
    """An engine that is busy until told to go on: its task, and how to tell."""
    client[0]["kept"] = 1
    begun, go_on = tmp_path / "begun", tmp_path / "go_on"
    task = client[0].apply_async(hold, str(begun), str(go_on))
    while not begun.exists():
        time.sleep(0.01)
    yield task, go_on.touch
    go_on.touch()


def test_clear_waits_for_the_running_task(client: ipp.Client, held) -> None:
    task, go_on = held
    cleared = client.clear(targets=0, block=False)
    go_on()
    assert task.get(20) == "kept"
    cleared.get(20)
    with pytest.raises(ipp.RemoteError, match="NameError"):
        client[0]["kept"]


def test_clear_keeps_what_ipython_needs(client: ipp.Client) -> None:
    view = client[:]
    view.execute("import math\nx = 1\ndef f(): return x", silent=False, block=True)
    client.clear(block=True)
    view.execute("mine = [get_ipython() is not None, isinstance(In, list), __name__]", block=True)
    assert view["mine"] == [[True, True, "__main__"]] * 2
    view.execute("answer = Out", silent=False, block=True)
    for name in ("x", "f", "math"):
        with pytest.raises(ipp.RemoteError, match="NameError"):
            client[0][name]
    result = client[0].execute("6 * 7", silent=False)
    assert result.get(20).data["text/plain"] == "42"

    view["base"] = 1
    assert view.apply_sync(next_number) == [2, 2]
    client.clear(block=True)
    view["base"] = 5
    assert view.apply_sync(next_number) == [6, 6]


def leave_the_ground(folder: str) -> None:
    import os

    os.mkdir(folder)
    os.chdir(folder)
    os.rmdir(folder)


def test_clear_that_fails_says_why(client: ipp.Client, tmp_path: Path) -> None:
    view = client[0]
    view.apply_sync(leave_the_ground, str(tmp_path / "folder"))
    try:
        # IPython looks where it is
        with pytest.raises(ipp.RemoteError, match="FileNotFoundError"):
            client.clear(targets=0, block=False).get(20)
    finally:
        view.execute(f"import os; os.chdir({str(tmp_path)!r})", block=True)
    client.clear(targets=0, block=False).get(20)


def test_waiting_tasks_can_be_aborted(client: ipp.Client, held) -> None:
    task, go_on = held
    waiting = [
        client[0].apply_async(abs, -1),
        client[0].execute("1"),
        client[0].apply_async(abs, -2),
    ]
    client.abort(waiting[:2], block=True)
    go_on()
    assert task.get(20) == "kept"
    for result in waiting[:2]:
        with pytest.raises(ipp.TaskAborted):
            result.get(20)
    assert waiting[2].get(20) == 2


@pytest.mark.parametrize("content", [{}, {"msg_ids": None}, {"msg_ids": []}])
def test_without_ids_all_executions_that_wait_are_aborted(
    client: ipp.Client, held, content: dict
) -> None:
    task, go_on = held
    call, code = client[0].apply_async(abs, -1), client[0].execute("1")
    wait_for_queue(client, 3)
    client._control("abort_request", content, 0, True)
    go_on()
    assert task.get(20) == "kept"
    assert call.get(20) == 1
    with pytest.raises(ipp.TaskAborted):
        code.get(20)
