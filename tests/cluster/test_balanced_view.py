"""The load balanced view on real engines."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

import ipyparallel as ipp
from tests.support.processes import wait_until
from tests.support.waiting import return_when


def sleep_and_return(seconds: float, value: object) -> object:
    time.sleep(seconds)
    return value


def test_apply_runs_on_one_engine(client: ipp.Client) -> None:
    view = client.load_balanced_view()
    result = view.apply_async(abs, -3)
    assert result.get() == 3
    assert result.engine_id in client.ids
    assert view.apply_sync(abs, -4) == 4


def test_many_tasks_are_spread_and_all_come_back(client: ipp.Client) -> None:
    view = client.load_balanced_view()
    results = [view.apply_async(sleep_and_return, 0.005, i) for i in range(100)]
    assert client.wait(results, timeout=30)
    assert [result.get() for result in results] == list(range(100))
    assert {result.engine_id for result in results} == set(client.ids)


@pytest.mark.parametrize(("chunksize", "tasks"), [(1, 10), (4, 3), (100, 1)])
def test_map_cuts_even_chunks(client: ipp.Client, chunksize: int, tasks: int) -> None:
    view = client.load_balanced_view()
    result = view.map_async(pow, range(10), [2] * 10, chunksize=chunksize)
    assert len(result) == 10
    assert len(result.msg_ids) == tasks
    assert result.get() == [x**2 for x in range(10)]
    assert result.progress == 10


def test_map_iterates_in_order_or_as_results_come(client: ipp.Client) -> None:
    view = client.load_balanced_view()
    seconds = [0.5, 0, 0, 0]
    values = [0, 1, 2, 3]
    assert list(view.map_async(sleep_and_return, seconds, values)) == values
    unordered = list(view.map_async(sleep_and_return, seconds, values, ordered=False))
    assert sorted(unordered) == values
    assert unordered[-1] == 0


def test_map_of_nothing_is_empty(client: ipp.Client) -> None:
    view = client.load_balanced_view()
    assert view.map_sync(abs, []) == []
    with pytest.raises(TypeError, match="at least one sequence"):
        view.map(abs)
    with pytest.raises(ValueError, match="chunksize must be"):
        view.map(abs, [1], chunksize=0)
    with pytest.raises(TypeError, match="no block"):
        view.map_sync(abs, [1], block=True)


def test_errors_name_the_engine(client: ipp.Client) -> None:
    view = client.load_balanced_view()
    with pytest.raises(ipp.RemoteError, match="could not convert") as info:
        view.apply_sync(float, "x")
    assert info.value.ename == "ValueError"
    assert info.value.engine_info["engine_id"] in client.ids
    values = view.map_sync(float, ["1", "x", "3"], return_exceptions=True)
    assert values[0] == 1
    assert isinstance(values[1], ipp.RemoteError)
    assert values[2] == 3


def test_targets_restrict_the_choice(client: ipp.Client) -> None:
    view = client.load_balanced_view(targets=1)
    results = view.map_async(abs, range(20))
    results.get()
    assert set(results.engine_id) == {1}


def test_a_view_waits_for_its_own_tasks_only(client: ipp.Client, tmp_path: Path) -> None:
    slow = client.load_balanced_view()
    quick = client.load_balanced_view()
    pending = slow.apply_async(return_when, str(tmp_path / "go"))
    done = quick.apply_async(abs, 1)
    assert quick.wait(timeout=20)
    assert done.ready()
    assert not pending.ready()
    assert slow.outstanding == set(pending.msg_ids)
    (tmp_path / "go").touch()
    assert slow.wait(timeout=20)
    assert pending.ready()


def test_history_has_each_task_once(client: ipp.Client) -> None:
    view = client.load_balanced_view()
    first = view.apply_async(abs, 1)
    second = view.map_async(abs, [1, 2])
    client.wait([first, second], timeout=20)
    assert list(view.history) == [*first.msg_ids, *second.msg_ids]
    assert client.history[-3:] == view.history[:]


def test_short_tasks_do_not_wait_behind_a_long_one(client: ipp.Client) -> None:
    """An engine trusted with several short tasks gives them back when the first is long."""
    view = client.load_balanced_view()
    for _ in range(3):
        # the engines show that their tasks are short, so that they get several at a time
        view.map_sync(abs, range(200))
        long = view.apply_async(sleep_and_return, 60, "long")
        short = [view.apply_async(abs, i) for i in range(50)]
        assert client.wait(short, timeout=30)
        assert not long.ready()
        while not long.wait(0.2):  # it may not have begun
            client.send_signal("SIGINT", block=True)
        with pytest.raises(ipp.RemoteError, match="KeyboardInterrupt"):
            long.get(20)


def test_queue_status_counts(client: ipp.Client, tmp_path: Path) -> None:
    view = client.load_balanced_view()
    before = client.queue_status()
    assert set(before) == {*client.ids, "unassigned"}
    client.wait([view.apply_async(abs, 1), client[0].apply_async(abs, 1)], timeout=20)
    after = client.queue_status()
    total = sum(after[i]["completed"] - before[i]["completed"] for i in client.ids)
    assert total == 2
    assert all(after[i]["tasks"] == after[i]["queue"] == 0 for i in client.ids)
    tasks = [view.apply_async(return_when, str(tmp_path / "go")) for _ in range(5)]

    def known() -> list[str]:
        busy = client.queue_status(verbose=True)
        return sorted([*busy["unassigned"], *(t for i in client.ids for t in busy[i]["tasks"])])

    # tasks and questions take different ways to the controller
    expected = sorted(task.msg_ids[0] for task in tasks)
    wait_until(lambda: known() == expected, "the scheduler to have all tasks")
    assert set(client.queue_status(0)) == {"queue", "completed", "tasks"}
    (tmp_path / "go").touch()
    assert client.wait(tasks, timeout=20)
