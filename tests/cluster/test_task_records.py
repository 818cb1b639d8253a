"""What a real controller keeps of tasks, and tells of them."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

import ipyparallel as ipp
from tests.support.processes import wait_until

from .conftest import start

NewCluster = Callable[..., tuple[ipp.Cluster, ipp.Client]]


@pytest.fixture(scope="module", params=["dictdb", "sqlitedb"])
def client(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ipp.Client]:
    """A client of a cluster whose controller keeps records in this way."""
    profile = tmp_path_factory.mktemp(request.param)
    cluster, client = start(profile, 2, controller_args=[f"--{request.param}"])
    yield client
    client.close()
    cluster.stop_cluster_sync()


def record_of(client: ipp.Client, task: ipp.AsyncResult) -> dict[str, Any]:
    (record,) = client.db_query({"msg_id": task.msg_ids[0]})
    return record


def fail(text: str) -> None:
    print("before")
    raise ValueError(text)


def wait_for(path: str) -> str:
    while not os.path.exists(path):
        time.sleep(0.01)
    return path


def test_a_balanced_task_leaves_a_complete_record(client: ipp.Client) -> None:
    before = datetime.now(UTC)
    view = client.load_balanced_view()
    with view.temp_flags(label="mine", retries=1):
        task = view.apply_async(divmod, 7, 2)
    assert task.get(20) == (3, 1)
    record = record_of(client, task)
    assert record["queue"] == "task"
    assert record["label"] == "mine"
    assert record["metadata"]["retries"] == 1
    assert record["header"]["msg_type"] == "apply_request"
    assert record["client_uuid"] == client.session.session_id
    assert record["engine_uuid"] == task.engine_uuid
    assert before <= record["submitted"] <= record["started"] <= record["completed"]
    assert record["completed"] <= record["received"] <= datetime.now(UTC)
    assert record["result_content"] == {"status": "ok"}
    assert record["result_header"]["msg_type"] == "apply_reply"
    assert record["resubmitted"] is None
    (with_buffers,) = client.db_query(
        {"msg_id": record["msg_id"]}, keys=["buffers", "result_buffers"]
    )
    assert with_buffers["buffers"]
    assert len(with_buffers["result_buffers"]) == 1


def test_code_on_an_engine_leaves_its_output(client: ipp.Client) -> None:
    task = client[0].execute(
        "import sys; print('out'); print('err', file=sys.stderr); 6 * 7", silent=False
    )
    task.get(20)

    def complete() -> bool:
        record = record_of(client, task)
        return bool(record["stdout"] and record["stderr"] and record["execute_result"])

    wait_until(complete)
    record = record_of(client, task)
    assert record["queue"] == "mux"
    assert (record["stdout"], record["stderr"]) == ("out\n", "err\n")
    assert record["execute_input"].startswith("import sys")
    assert record["execute_result"]["data"]["text/plain"] == "42"
    assert record["engine_uuid"] == client._engines[0]


def test_failures_are_recorded(client: ipp.Client) -> None:
    task = client.load_balanced_view().apply_async(fail, "why")
    with pytest.raises(ValueError, match="why"):
        task.get(20)
    content = record_of(client, task)["result_content"]
    assert (content["status"], content["ename"], content["evalue"]) == (
        "error",
        "ValueError",
        "why",
    )
    wait_until(lambda: record_of(client, task)["stdout"] == "before\n")


def test_a_running_task_is_pending_and_says_where(client: ipp.Client, tmp_path: Path) -> None:
    path = tmp_path / "end"
    task = client.load_balanced_view().apply_async(wait_for, str(path))

    def sent() -> Any:
        query = {"msg_id": task.msg_ids[0], "completed": None}
        # it may be on its way to the scheduler yet
        return [record["engine_uuid"] for record in client.db_query(query) if record["engine_uuid"]]

    (engine,) = wait_until(sent)
    assert engine in client._engines.values()
    assert client.result_status(task.msg_ids)["pending"] == task.msg_ids
    with pytest.raises(ipp.RemoteError, match="pending"):
        client.purge_hub_results(task.msg_ids)
    path.touch()
    task.get(20)
    assert client.result_status(task.msg_ids)["completed"] == task.msg_ids


def test_tasks_are_cancelled_in_their_records_too(client: ipp.Client, tmp_path: Path) -> None:
    path = tmp_path / "end"
    view = client.load_balanced_view()
    tasks = [view.apply_async(wait_for, str(path)) for _ in range(6)]
    tasks[-1].cancel()
    with pytest.raises(ipp.TaskAborted):
        tasks[-1].get(20)
    path.touch()
    for task in tasks[:-1]:
        task.get(20)
    assert record_of(client, tasks[-1])["result_content"] == {"status": "aborted"}


def test_a_resubmitted_task_keeps_what_it_asked_for(client: ipp.Client) -> None:
    view = client.load_balanced_view(targets=[1])
    with view.temp_flags(label="again", retries=2):
        task = view.apply_async(os.getpid)
    pid = task.get(20)
    again = client.resubmit(task.msg_ids)
    assert again.get(20) == [pid]
    record, first = record_of(client, again), record_of(client, task)
    assert first["resubmitted"] == again.msg_ids[0]
    assert record["label"] == "again"
    assert record["metadata"] == first["metadata"]
    assert record["client_uuid"] == client.session.session_id
    assert record["submitted"] > first["submitted"]


def test_large_arguments_are_not_kept_and_that_is_told(client: ipp.Client) -> None:
    task = client.load_balanced_view().apply_async(len, b"x" * (2 << 20))
    assert task.get(20) == 2 << 20
    with pytest.raises(ipp.RemoteError, match="its arguments were too large to be kept"):
        client.resubmit(task.msg_ids)


def test_dates_in_queries_and_the_load_of_engines(client: ipp.Client) -> None:
    task = client.load_balanced_view().apply_async(abs, -1)
    task.get(20)
    record = record_of(client, task)
    found = client.db_query({"submitted": {"$gte": record["submitted"]}}, keys=["msg_id"])
    assert [r["msg_id"] for r in found] == task.msg_ids
    reply = client._messenger.request("query", "load_request", {"targets": None}).result(20)
    assert reply == {"status": "ok", "0": 0, "1": 0}


# ---- clusters that break, or are set otherwise


def leave_tasks(cluster: ipp.Cluster, path: str) -> list[str]:
    """Submit tasks, and go."""
    with cluster.connect_client_sync() as other:
        other.wait_for_engines(1, timeout=20)
        tasks = [
            other.load_balanced_view().apply_async(wait_for, path),
            other[0].apply_async(wait_for, path),
        ]
        return [msg_id for task in tasks for msg_id in task.msg_ids]


def test_what_nobody_has_fetched_outlives_what_was(new_cluster: NewCluster, tmp_path: Path) -> None:
    args = ["--DictDB.record_limit=5", "--DictDB.cull_fraction=0.0"]
    cluster, client = new_cluster(2, controller_args=args)
    path = tmp_path / "end"
    left = leave_tasks(cluster, str(path))
    path.touch()
    tasks = [client.load_balanced_view().apply_async(abs, -i) for i in range(20)]
    client.wait(tasks)
    wait_until(lambda: not client.result_status(left)["pending"])
    history = client.hub_history()
    assert history[:2] == left
    # of those that were fetched, the last that have ended
    assert len(history) == 2 + 5
    gone = next(task.msg_ids[0] for task in tasks if task.msg_ids[0] not in history)
    with pytest.raises(ipp.RemoteError, match=r"has been culled .*DictDB.record_limit = 5"):
        client.resubmit([gone])
    assert client.get_result(left).get(20) == [str(path)] * 2


def test_direct_tasks_of_a_client_that_has_left_fail_with_their_engine(
    new_cluster: NewCluster, tmp_path: Path
) -> None:
    cluster, client = new_cluster(1)
    left = leave_tasks(cluster, str(tmp_path / "never"))
    pid_task = client[0].apply_async(os.getpid)
    client.send_signal(signal.SIGKILL, targets=0, block=False)
    with pytest.raises(ipp.EngineError):
        pid_task.get(20)
    failed = client.get_result(left[1])
    with pytest.raises(ipp.EngineError, match=r"Engine 0 died while running task .*SIGKILL"):
        failed.get(20)


def test_records_in_sqlite_outlive_a_controller_that_is_killed(
    new_cluster: NewCluster, tmp_path: Path
) -> None:
    file = ["--sqlitedb", f"--SQLiteDB.location={tmp_path}"]
    cluster, client = new_cluster(1, controller_args=file)
    done = client.load_balanced_view().apply_async(abs, -7)
    assert done.get(20) == 7
    running = client[0].apply_async(wait_for, str(tmp_path / "never"))
    controller = cluster.controller.pid

    def written() -> bool:
        # by another who reads the file
        import sqlite3

        with sqlite3.connect(tmp_path / "tasks.db") as file:
            rows = file.execute("SELECT msg_id, completed FROM 'ipython-tasks'").fetchall()
        return len(rows) == 2 and sum(completed is not None for _, completed in rows) == 1

    wait_until(written)
    os.kill(controller, signal.SIGKILL)
    with pytest.raises(ipp.ControllerLost):
        running.get(20)
    _, other = new_cluster(1, controller_args=file)
    assert other.get_result(done.msg_ids).get(20) == [7]
    lost = other.get_result(running.msg_ids[0])
    with pytest.raises(ipp.EngineError, match="the controller was stopped before"):
        lost.get(20)


def test_without_records_that_is_told(new_cluster: NewCluster) -> None:
    _, client = new_cluster(1, controller_args=["--nodb"])
    task = client.load_balanced_view().apply_async(abs, -1)
    assert task.get(20) == 1
    assert client.queue_status(verbose=True)[0]["completed"] == []
    for ask in (client.hub_history, lambda: client.db_query({}), lambda: client.resubmit("a_1")):
        with pytest.raises(ipp.RemoteError, match="keeps no records of tasks"):
            ask()


def test_a_database_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="there is no database 'nosuchdb'"):
        start(tmp_path, 1, controller_args=["--IPController.db_class=nosuchdb"])


def test_records_of_the_pure_scheme(new_cluster: NewCluster) -> None:
    _, client = new_cluster(2, controller_args=["--scheme=pure"])
    task = client.load_balanced_view().apply_async(divmod, 7, 2)
    assert task.get(20) == (3, 1)
    wait_until(lambda: client.result_status(task.msg_ids)["completed"])
    record = record_of(client, task)
    assert record["engine_uuid"] == task.engine_uuid
    assert client.resubmit(task.msg_ids).get(20) == [(3, 1)]
