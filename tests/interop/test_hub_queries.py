"""What the hub tells a published client of tasks, which another client has submitted."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.interop.conftest import Mixed, make_mixed
from tests.support.peer import PeerError
from tests.support.processes import wait_until

pytestmark = pytest.mark.interop

Ids = dict[str, list[str]]


@pytest.fixture(scope="module")
def mixed(peer_python: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mixed]:
    yield from make_mixed(peer_python, tmp_path_factory.mktemp("queries"))


@pytest.fixture(scope="module")
def ids(mixed: Mixed) -> Ids:
    """Of the tasks that a client has run; whom the tests lead is another one from then on."""
    ids: Ids = mixed.client.call("run_some")
    mixed.client.call("connect", file=str(mixed.controller.client_file))
    mixed.client.call("wait_for_engines", n=2)
    return ids


def failure(mixed: Mixed, do: str, **arguments: Any) -> dict[str, Any]:
    with pytest.raises(PeerError) as caught:
        mixed.client.call(do, **arguments)
    return caught.value.told


def test_results(mixed: Mixed, ids: Ids) -> None:
    direct = mixed.client.call("result_of", msg_ids=ids["direct"])
    assert direct == {"value": [8], "stdout": [""], "status": ["ok"]}
    one = mixed.client.call("result_of", msg_ids=ids["balanced"][0])
    assert one == {"value": [1, 1], "stdout": "", "status": "ok"}
    code = mixed.client.call("result_of", msg_ids=ids["code"][0])
    assert code["stdout"] == "hi\n"
    both = mixed.client.call("result_of", msg_ids=[*ids["balanced"], *ids["direct"]])
    assert both["value"] == [[1, 1], 8]


def test_errors(mixed: Mixed, ids: Ids) -> None:
    told = failure(mixed, "result_of", msg_ids=ids["failed"])
    assert told["type"] == "CompositeError"
    assert [(each["ename"], each["evalue"]) for each in told["elist"]] == [
        ("KeyError", "'recorded'"),
        ("KeyError", "'recorded'"),
    ]
    assert {each["engine_id"] for each in told["elist"]} == {0, 1}


@pytest.mark.parametrize("do", ["result_of", "result_status", "resubmit"])
def test_what_nobody_knows(mixed: Mixed, ids: Ids, do: str) -> None:
    told = failure(mixed, do, msg_ids=["nope"])
    assert (told["type"], told["ename"]) == ("RemoteError", "KeyError")
    assert "No such m" in told["evalue"]
    assert "nope" in told["evalue"]


def test_the_status_of_results(mixed: Mixed, ids: Ids) -> None:
    msg_ids = [*ids["direct"], *ids["code"]]
    status = mixed.client.call("result_status", msg_ids=msg_ids)
    assert sorted(status.pop("completed")) == sorted(msg_ids)
    assert status == {"status": "ok", "pending": []}
    status = mixed.client.call("result_status", msg_ids=ids["direct"], status_only=False)
    assert status[ids["direct"][0]] == 8


def test_the_history(mixed: Mixed, ids: Ids) -> None:
    history = mixed.client.call("hub_history")
    submitted = [*ids["direct"], *ids["balanced"], *ids["code"], *ids["failed"]]
    first = history.index(submitted[0])
    assert history[first : first + len(submitted)] == submitted


def test_records(mixed: Mixed, ids: Ids) -> None:
    (record,) = mixed.client.call("query", query={"msg_id": ids["balanced"][0]})
    assert record["queue"] == "task"
    assert record["header"]["msg_type"] == "apply_request"
    assert record["result_content"]["status"] == "ok"
    assert "buffers" not in record
    found = mixed.client.call(
        "query",
        query={"msg_id": {"$in": [*ids["direct"], *ids["code"]]}},
        keys=["buffers", "result_buffers", "stdout"],
    )
    by_id = {record["msg_id"]: record for record in found}
    direct, code = by_id[ids["direct"][0]], by_id[ids["code"][0]]
    assert len(direct["buffers"]) >= 2
    assert len(direct["result_buffers"]) >= 1
    assert (code["buffers"], code["stdout"]) == ([], "hi\n")


def test_moments_in_queries(mixed: Mixed, ids: Ids) -> None:
    history = mixed.client.call("hub_history")
    at = history.index(ids["direct"][0])
    counts = mixed.client.call("count_submitted_around", msg_id=ids["direct"][0])
    assert counts == [at + 1, len(history) - at - 1]


@pytest.mark.parametrize("query", [{"nonsense": 1}, {"msg_id": {"$nonsense": 1}}])
def test_queries_that_make_no_sense(mixed: Mixed, ids: Ids, query: dict[str, Any]) -> None:
    told = failure(mixed, "query", query=query)
    assert (told["type"], told["ename"]) == ("RemoteError", "KeyError")
    assert "nonsense" in told["evalue"]


def test_the_queues(mixed: Mixed, ids: Ids) -> None:
    status = mixed.client.call("queue_status", targets="all", verbose=True)
    assert (status["unassigned"], set(status)) == ([], {"unassigned", "0", "1"})
    assert status["0"]["queue"] == status["0"]["tasks"] == []
    assert ids["direct"][0] in status["0"]["completed"]
    assert ids["code"][0] in status["1"]["completed"]


@pytest.mark.parametrize(("kind", "value"), [("direct", [8]), ("balanced", [[1, 1]])])
def test_tasks_are_run_again(mixed: Mixed, ids: Ids, kind: str, value: list[Any]) -> None:
    again = mixed.client.call("resubmit", msg_ids=ids[kind])
    assert again["value"] == value
    assert again["msg_ids"] != ids[kind]
    (record,) = mixed.client.call("query", query={"msg_id": ids[kind][0]})
    assert [record["resubmitted"]] == again["msg_ids"]


def test_records_are_forgotten(mixed: Mixed, ids: Ids, tmp_path: Path) -> None:
    path = tmp_path / "begun"
    mixed.client.call("start", name="long", engine_id=0, balanced=False, path=str(path))
    wait_until(path.exists, "the task to begin")
    (pending,) = mixed.client.call("query", query={"completed": None})
    told = failure(mixed, "purge", msg_ids=[pending["msg_id"]])
    assert (told["ename"], told["evalue"]) == ("IndexError", f"msg pending: {pending['msg_id']!r}")
    mixed.client.call("purge", msg_ids=ids["direct"])
    # the other one remembers what it has seen
    mixed.client.call("connect", file=str(mixed.controller.client_file))
    assert "No such message" in failure(mixed, "result_status", msg_ids=ids["direct"])["evalue"]
    mixed.client.call("purge", targets=[1])
    assert ids["code"][0] not in mixed.client.call("hub_history")
    mixed.client.call("purge", msg_ids="all")
    assert mixed.client.call("hub_history") == [pending["msg_id"]]
    mixed.client.call("signal", engine_id=0, sig=2)
    assert failure(mixed, "collect", name="long", within=20)["ename"] == "KeyboardInterrupt"
