"""Results and records of tasks that other clients have submitted, as the hub tells."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

import ipyparallel as ipp
from ipyparallel.protocol.connection import client_file
from tests.support.processes import wait_until

#: Submits tasks of all kinds, waits for none of them, and prints their ids.
SUBMIT = """
import json, sys
import ipyparallel as ipp

def held(go_on):
    import os, time
    while not os.path.exists(go_on):
        time.sleep(0.01)
    print("let go")
    return "kept"

file, go_on = sys.argv[1:]
with ipp.Client(file) as client:
    view, direct = client.load_balanced_view([0]), client[0]
    view.label = "at home"
    ids = {
        "held": client.load_balanced_view([1]).apply_async(held, go_on).msg_ids[0],
        "map": view.map_async(abs, range(-4, 0), chunksize=2).msg_ids,
        "failed": view.apply_async(int, "x").msg_ids[0],
        "large": view.apply_async(bytes, 1 << 20).msg_ids[0],
        "code": direct.execute("import sys; print('out'); print('err', file=sys.stderr); 6 * 7",
                               silent=False).msg_ids[0],
        "syntax": direct.execute("1 +").msg_ids[0],
    }
    client.wait([ids["code"], ids["failed"]], 60)
    print(json.dumps(ids))
"""

#: Reads the results of tasks, and prints them.
READ = """
import json, sys
import ipyparallel as ipp

with ipp.Client(sys.argv[1]) as client:
    print(json.dumps(client.get_result(sys.argv[2:]).get(60)))
"""


def run(code: str, *args: object) -> Any:
    """What a program prints."""
    argv = [sys.executable, "-c", code, *map(str, args)]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=90, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture
def file(client: ipp.Client) -> Path:
    cluster = client.cluster
    assert cluster is not None
    path: Path = client_file(cluster.profile_dir, cluster.cluster_id)
    return path


@pytest.fixture
def other(file: Path) -> Iterator[ipp.Client]:
    """Another client."""
    with ipp.Client(file) as other:
        yield other


Start = Callable[[ipp.DirectView | ipp.LoadBalancedView], ipp.AsyncResult]


@pytest.fixture
def start(tmp_path: Path, other: ipp.Client) -> Iterator[tuple[Start, Callable[[], None]]]:
    """Submits tasks that run until told to go on, and tells them; the hub knows of them."""
    go_on = tmp_path / "go_on"

    def submit(view: Any) -> ipp.AsyncResult:
        def held(go_on: str) -> str:
            import os
            import time

            while not os.path.exists(go_on):
                time.sleep(0.01)
            print("let go")
            return "kept"

        result: ipp.AsyncResult = view.apply_async(held, str(go_on))
        known = lambda: set(result.msg_ids) <= set(other.hub_history())  # noqa: E731
        wait_until(known, "the hub to know the tasks")
        return result

    yield submit, go_on.touch
    go_on.touch()


# ---- results


def test_what_a_client_that_has_gone_has_submitted(
    client: ipp.Client, file: Path, tmp_path: Path
) -> None:
    ids = run(SUBMIT, file, tmp_path / "go_on")
    both = client.get_result(ids["map"])
    assert type(both) is ipp.AsyncHubResult
    assert both.get(20) == [[4, 3], [2, 1]]
    assert both.label == ["at home", "at home"]
    assert both.wall_time >= both.serial_time / 2
    held = client.get_result(ids["held"])
    assert not held.ready()
    (tmp_path / "go_on").touch()
    assert held.get(20) == "kept"
    assert held.stdout == "let go\n"
    assert held.status == "ok"
    assert client.get_result(ids["large"]).get(20) == bytes(1 << 20)
    with pytest.raises(ValueError, match="invalid literal") as caught:
        client.get_result(ids["failed"]).get(20)
    assert isinstance(caught.value, ipp.RemoteError)
    assert caught.value.engine_info["engine_id"] in (0, 1)
    with pytest.raises(SyntaxError):
        client.get_result(ids["syntax"]).get(20)
    assert run(READ, file, *ids["map"], ids["held"]) == [[4, 3], [2, 1], "kept"]


def test_executed_code_is_shown_as_it_was(
    client: ipp.Client, file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "go_on").touch()
    ids = run(SUBMIT, file, tmp_path / "go_on")

    def has_shown() -> bool:
        # what it shows takes another way than its reply
        (record,) = client.db_query({"msg_id": ids["code"]}, ["stderr", "execute_result"])
        return bool(record["stderr"] and record["execute_result"])

    wait_until(has_shown, "the output")
    code = client.get_result(ids["code"])
    reply = code.get(20)
    assert (code.stdout, code.stderr) == ("out\n", "err\n")
    assert code.execute_input.endswith("6 * 7")
    assert reply.data == {"text/plain": "42"}
    assert repr(reply) == f"<ExecuteReply[{reply.execution_count}]: 42>"
    assert reply.engine_id == 0
    assert code.started <= code.completed <= code.received
    assert code.submitted.tzinfo is not None
    code.display_outputs()
    shown = capsys.readouterr()
    assert "out\n" in shown.out
    assert f"Out[0:{reply.execution_count}]: 42" in shown.out
    assert "err" in shown.err


def test_who_waits_is_told_what_was_printed_too(
    client: ipp.Client, other: ipp.Client, start: tuple[Start, Callable[[], None]]
) -> None:
    submit, go_on = start
    mine = [submit(client[0]), submit(client.load_balanced_view([1]))]
    results = [other.get_result(result.msg_ids[0]) for result in mine]
    direct = results[0]
    assert other.outstanding == {result.msg_ids[0] for result in mine}
    assert not direct.wait(0)
    assert (direct.submitted, direct.stdout, direct.elapsed) == (None, "", 0)
    go_on()
    assert [result.get(20) for result in results] == ["kept", "kept"]
    assert [result.stdout for result in results] == ["let go\n", "let go\n"]
    assert other.outstanding == set()
    assert direct.wait_for_output(20)
    assert direct.engine_id == 0
    assert direct.elapsed == direct.wall_time > 0


def test_known_and_unknown_ids_together(client: ipp.Client, other: ipp.Client) -> None:
    theirs = client[:].apply_async(lambda: 7)
    assert theirs.get(20) == [7, 7]
    own = other[0].apply_async(lambda: 8)
    mixed = other.get_result([*theirs.msg_ids, own.msg_ids[0]])
    assert mixed.get(20) == [7, 7, 8]
    assert mixed.engine_id == [0, 1, 0]
    assert other[1].get_result(theirs.msg_ids[0]).get(20) == 7
    assert other.load_balanced_view().get_result(theirs, block=True).get(0) == [7, 7]
    with pytest.raises(KeyError, match="No such message: 'nobody'") as caught:
        other.get_result("nobody").get(20)
    assert isinstance(caught.value, ipp.RemoteError)
    results = other.get_result(["nobody", theirs.msg_ids[0]]).get(20, return_exceptions=True)
    assert isinstance(results[0], KeyError)
    assert results[1] == 7


def test_what_is_forgotten_here_is_not_lost(client: ipp.Client) -> None:
    def answer() -> int:
        print("of this client's own")
        return 9

    client[0].apply_sync(answer)
    again = client.get_result()
    assert type(again) is ipp.AsyncHubResult
    assert again.get(20) == 9
    assert client.get_result(-1) is not again


def test_results_of_others_are_awaited_iterated_and_arguments(
    client: ipp.Client, other: ipp.Client, start: tuple[Start, Callable[[], None]]
) -> None:
    submit, go_on = start
    theirs = submit(client[:])
    result = other.get_result(theirs.msg_ids)
    later = other.load_balanced_view().apply_async(lambda parts: "+".join(parts), result)
    go_on()

    async def wait() -> Any:
        return await result

    assert asyncio.run(wait()) == ["kept", "kept"]
    assert list(result) == ["kept", "kept"]
    assert (len(result), result.progress) == (2, 2)
    assert later.get(20) == "kept+kept"
    assert result.get_dict() == {0: "kept", 1: "kept"}


def test_tasks_of_others_may_be_cancelled(
    client: ipp.Client, other: ipp.Client, start: tuple[Start, Callable[[], None]]
) -> None:
    submit, _ = start
    direct, balanced = submit(client[0]), submit(client.load_balanced_view([1]))
    result = other.get_result([*direct.msg_ids, *balanced.msg_ids])
    assert result.cancel()
    assert result.cancelled()
    for theirs in (direct, balanced):
        with pytest.raises(ipp.TaskAborted):
            theirs.get(20)
        again = other.get_result(theirs.msg_ids[0])
        with pytest.raises(ipp.TaskAborted):
            again.get(20)


def test_an_engine_that_dies_ends_what_is_waited_for(
    new_cluster: Callable[..., tuple[ipp.Cluster, ipp.Client]], tmp_path: Path
) -> None:
    cluster, client = new_cluster(1)
    begun = str(tmp_path / "begun")

    def die(begun: str) -> None:
        import os

        open(begun, "w").close()
        while os.path.exists(begun):
            pass
        os._exit(3)

    theirs = [client[0].apply_async(die, begun), client[0].apply_async(abs, 1)]
    wait_until((tmp_path / "begun").exists, "the task to begin")
    with ipp.Client(client_file(cluster.profile_dir, cluster.cluster_id)) as other:
        ids = [result.msg_ids[0] for result in theirs]
        results = [other.get_result(msg_id) for msg_id in ids]
        os.unlink(begun)
        results += [other.get_result(msg_id) for msg_id in ids]
        for result in results:
            with pytest.raises(ipp.EngineError, match="died"):
                result.get(20)
            assert result.status == "error"


# ---- status, once more


def test_the_status_of_tasks(
    client: ipp.Client, other: ipp.Client, start: tuple[Start, Callable[[], None]]
) -> None:
    submit, go_on = start
    pending = submit(client[0]).msg_ids[0]
    view = client.load_balanced_view([1])
    done, failed = view.apply_async(abs, -5), view.apply_async(int, "x")
    client.wait([done, failed], 20)
    ids = [pending, done.msg_ids[0], failed.msg_ids[0]]
    for asking in (client, other):
        status = asking.result_status(ids)
        assert status == {"status": "ok", "pending": [pending], "completed": ids[1:]}
        assert asking.result_status(ids[1], status_only=False)[ids[1]] == 5
        with pytest.raises(ValueError, match="invalid literal"):
            asking.result_status(ids, status_only=False)
        with pytest.raises(KeyError, match="No such message: 'nobody'"):
            asking.result_status([ids[1], "nobody"])
    go_on()
    other.get_result(pending).wait(20)
    assert other.result_status(ids)["pending"] == []


def test_tasks_are_run_again(client: ipp.Client, other: ipp.Client) -> None:
    view = client.load_balanced_view([1])
    view.set_flags(label="once more", retries=2)
    first = view.apply_async(lambda: print("hello") or os.getpid())
    pid = first.get(20)
    client[0].apply_sync(str)
    for asking in (client, other):
        again = asking.resubmit([first.msg_ids[0]])
        assert again.get(20) == [pid]
        assert again.msg_ids != first.msg_ids
        assert again.label == ["once more"]
        assert again.stdout == ["hello\n"]
        (record,) = asking.db_query({"msg_id": again.msg_ids[0]})
        assert record["metadata"]["retries"] == 2
    assert client.resubmit(first, block=True).done()
    with pytest.raises(KeyError, match="nobody") as caught:
        other.resubmit([first.msg_ids[0], "nobody"])
    assert isinstance(caught.value, ipp.RemoteError)


# ---- records


def test_the_history_of_all_clients(client: ipp.Client, other: ipp.Client) -> None:
    ids = []
    for asking in (client, other, client):
        result = asking[0].apply_async(abs, 1)
        result.get(20)
        ids += result.msg_ids
    assert client.hub_history()[-3:] == other.hub_history()[-3:] == ids


def test_records_are_found_by_their_fields(client: ipp.Client, other: ipp.Client) -> None:
    before = datetime.now()
    view = client.load_balanced_view()
    view.label = "wanted"
    view.map_async(abs, [-1, -2, -3]).get(20)
    with view.temp_flags(label="failed"):
        view.apply_async(int, "x").wait(20)
    recent = {"submitted": {"$gt": before}}
    found = other.db_query({"label": "wanted", **recent}, ["engine_uuid", "completed"])
    assert len(found) == 3
    assert all(record.keys() == {"msg_id", "engine_uuid", "completed"} for record in found)
    now = datetime.now(UTC)
    assert all(timedelta(0) <= now - record["completed"] < timedelta(60) for record in found)
    assert other.db_query({"submitted": {"$gt": now}}) == []
    labels = other.db_query({"label": {"$in": {"wanted", "failed"}}, **recent}, "label")
    assert sorted(record["label"] for record in labels) == ["failed"] + ["wanted"] * 3
    (failed,) = other.db_query({"label": {"$glob": "fail*"}, **recent})
    assert failed["result_content"]["ename"] == "ValueError"
    assert failed["header"]["date"] == failed["submitted"]
    assert failed["result_header"]["date"] == failed["completed"]
    assert not {"buffers", "result_buffers"} & failed.keys()


def test_records_have_their_own_buffers(client: ipp.Client, other: ipp.Client) -> None:
    results = client[0].map_async(bytes, [5_000]), client[1].map_async(bytes, [200_000])
    ids = [result.msg_ids[0] for result in results]
    client.wait(results, 20)
    # the hub hears of a reply just after it was passed on
    wait_until(lambda: not other.result_status(ids)["pending"], "the records of the results")
    keys = ["buffers", "result_buffers"]
    found = other.db_query({"msg_id": {"$in": ids}}, keys)
    assert {record["msg_id"] for record in found} == set(ids)
    sizes = {ids[0]: 5_000, ids[1]: 200_000}
    for record in found:
        # a map returns the list of what its part gives
        (value,), _ = ipp.deserialize_object(record["result_buffers"])
        assert value == bytes(sizes[record["msg_id"]])
        assert record["buffers"]


def test_questions_that_make_no_sense(client: ipp.Client) -> None:
    with pytest.raises(ipp.RemoteError, match=r"hub:db.*nofield"):
        client.db_query({}, ["nofield"])
    with pytest.raises(ipp.RemoteError, match=r"hub:db.*\$like") as caught:
        client.db_query({"label": {"$like": "x"}})
    origin, line = caught.value.render_traceback()
    assert (origin, "$like" in line) == ("[hub:db]", True)
    assert isinstance(caught.value, (KeyError, ValueError))
    with pytest.raises(IndexError, match="No such engine: 99"):
        client.purge_results(targets=99)


def test_the_load_by_ids(
    client: ipp.Client, other: ipp.Client, start: tuple[Start, Callable[[], None]]
) -> None:
    submit, go_on = start
    held = submit(client[0])
    load = other.queue_status(verbose=True)
    assert load[0]["queue"] == held.msg_ids
    assert load[1]["queue"] == load["unassigned"] == []
    go_on()
    held.get(20)
    assert held.msg_ids[0] in other.queue_status(0, verbose=True)["completed"]
    assert isinstance(other.queue_status(0)["completed"], int)


# ---- forgetting


def test_results_are_purged(
    client: ipp.Client, other: ipp.Client, start: tuple[Start, Callable[[], None]]
) -> None:
    submit, go_on = start
    done = [client[i].apply_async(abs, -i) for i in (0, 1)]
    client.wait(done, 20)
    pending = submit(client[0])
    with pytest.raises(RuntimeError, match="still to come"):
        client.purge_results([done[0], pending])
    with pytest.raises(IndexError, match="pending") as caught:
        other.purge_results(pending.msg_ids)
    assert isinstance(caught.value, ipp.RemoteError)
    client.purge_results(done[0])
    with pytest.raises(KeyError, match=done[0].msg_ids[0]):
        client.get_result(done[0].msg_ids[0]).get(20)
    assert done[0].get() == 0  # who holds it keeps it
    client.purge_results(done[0])
    other.purge_hub_results("nobody")
    other[1].purge_results(targets="all")
    with pytest.raises(KeyError):
        other.get_result(done[1].msg_ids[0]).get(20)
    other.purge_everything()
    assert other.hub_history() == pending.msg_ids
    go_on()
    assert pending.get(20) == "kept"
    client.purge_everything()
    assert (client.hub_history(), list(client.history)) == ([], [])


def test_nothing_is_left_to_wait_for_when_the_controller_goes(
    new_cluster: Callable[..., tuple[ipp.Cluster, ipp.Client]],
) -> None:
    cluster, client = new_cluster(1)
    theirs = client[0].apply_async(time.sleep, 60)
    with ipp.Client(client_file(cluster.profile_dir, cluster.cluster_id)) as other:
        wait_until(other.hub_history, "the hub to know the task")
        result = other.get_result(theirs.msg_ids[0])
        cluster.stop_controller_sync()
        with pytest.raises(ipp.ControllerLost):
            result.get(20)
        with pytest.raises(ipp.ControllerLost):
            other.get_result("another")
