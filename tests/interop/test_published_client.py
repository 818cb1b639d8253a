"""A published client and two published engines on our controller: they must not notice."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.interop.conftest import Mixed, make_mixed
from tests.support.peer import PeerError
from tests.support.processes import wait_until

pytestmark = pytest.mark.interop


@pytest.fixture(scope="module", params=["tcp", "ipc"])
def mixed(
    request: pytest.FixtureRequest, peer_python: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Mixed]:
    folder = tmp_path_factory.mktemp("mixed")
    yield from make_mixed(peer_python, folder, f"--transport={request.param}")


def failure(mixed: Mixed, do: str, **arguments: Any) -> dict[str, Any]:
    with pytest.raises(PeerError) as caught:
        mixed.client.call(do, **arguments)
    return caught.value.told


# ---- work


def test_apply_to_all(mixed: Mixed) -> None:
    assert mixed.client.call("apply_all", x=21) == [42, 42]


@pytest.mark.parametrize("engine_id", [0, 1])
def test_apply_to_one(mixed: Mixed, engine_id: int) -> None:
    assert mixed.client.call("apply_one", engine_id=engine_id, x="ab") == "abab"


def test_the_result_knows_its_engine_and_its_output_ends(mixed: Mixed) -> None:
    assert mixed.client.call("metadata", engine_id=1) == {
        "engine_id": 1,
        "engine_uuid": True,
        "status": "ok",
        "output_ready": True,
    }


def test_execute_shows_output(mixed: Mixed) -> None:
    code = "import sys; print('to stdout'); print('to stderr', file=sys.stderr); 6 * 7"
    assert mixed.client.call("execute", code=code, targets=[0, 1]) == {
        "stdout": ["to stdout\n", "to stdout\n"],
        "stderr": ["to stderr\n", "to stderr\n"],
        "outputs": ["42", "42"],
    }


def test_push_pull_scatter_gather(mixed: Mixed) -> None:
    value = {"a": [1, 2.5, None, "ü"]}
    assert mixed.client.call("push_pull", value=value) == {
        "pulled": [value, value],
        "gathered": list(range(8)),
    }


def test_direct_map(mixed: Mixed) -> None:
    assert mixed.client.call("direct_map", n=7) == [0, 2, 4, 6, 8, 10, 12]


def test_balanced_map(mixed: Mixed) -> None:
    assert mixed.client.call("balanced_map", n=40) == [2 * i for i in range(40)]


def test_balanced_tasks_use_both_engines(mixed: Mixed) -> None:
    assert mixed.client.call("balanced", n=20) == {
        "results": [2 * i for i in range(20)],
        "engines": [0, 1],
        "statuses": ["ok"],
    }


@pytest.mark.parametrize("engine_id", [0, 1])
def test_balanced_task_restricted_to_an_engine(mixed: Mixed, engine_id: int) -> None:
    assert mixed.client.call("balanced_on", targets=[engine_id], x=4) == 8


# ---- errors


def test_direct_error(mixed: Mixed) -> None:
    told = failure(mixed, "fail_direct", targets=1)
    assert told["type"] == "RemoteError"
    assert (told["ename"], told["evalue"], told["engine_id"]) == ("KeyError", "'direct'", 1)


def test_errors_of_several_engines(mixed: Mixed) -> None:
    told = failure(mixed, "fail_direct", targets=[0, 1])
    assert told["type"] == "CompositeError"
    assert told["elist"] == [
        {"ename": "KeyError", "evalue": "'direct'", "engine_id": 0},
        {"ename": "KeyError", "evalue": "'direct'", "engine_id": 1},
    ]


def test_balanced_error(mixed: Mixed) -> None:
    told = failure(mixed, "fail_balanced")
    assert told["type"] == "RemoteError"
    assert (told["ename"], told["evalue"]) == ("KeyError", "'balanced'")
    assert told["engine_id"] in (0, 1)


def test_execute_error(mixed: Mixed) -> None:
    told = failure(mixed, "fail_execute", engine_id=0)
    assert (told["ename"], told["evalue"]) == ("ZeroDivisionError", "division by zero")
    assert told["engine_id"] == 0


# ---- questions to the hub, and control


def test_queue_status(mixed: Mixed) -> None:
    status = mixed.client.call("queue_status", targets="all", verbose=False)
    assert status.pop("unassigned") == 0
    assert sorted(status) == ["0", "1"]
    for counts in status.values():
        completed = counts.pop("completed")
        assert counts == {"queue": 0, "tasks": 0}
        assert completed > 0


def test_queue_status_of_one_engine(mixed: Mixed) -> None:
    status = mixed.client.call("queue_status", targets=1, verbose=True)
    assert status["queue"] == []
    assert status["tasks"] == []


def test_clear(mixed: Mixed) -> None:
    assert mixed.client.call("clear", engine_id=1) is False


def test_a_signal_reaches_the_engine_through_its_nanny(mixed: Mixed, tmp_path: Path) -> None:
    flag = tmp_path / "started"
    mixed.client.call("start", name="long", engine_id=0, balanced=False, path=str(flag))
    wait_until(flag.exists, "the task to start")
    mixed.client.call("signal", engine_id=0, sig="SIGINT")
    assert failure(mixed, "collect", name="long", within=20)["ename"] == "KeyboardInterrupt"


# ---- engines come and go; last, since these leave other engines than they found


def test_a_killed_engine_ends_its_tasks_and_a_new_one_takes_part(
    mixed: Mixed, tmp_path: Path
) -> None:
    flag = tmp_path / "started"
    mixed.client.call("start", name="direct", engine_id=1, balanced=False, path=str(flag))
    wait_until(flag.exists, "the direct task to start")
    # it waits on the engine behind the other
    mixed.client.call(
        "start", name="balanced", engine_id=1, balanced=True, path=str(tmp_path / "never")
    )

    def held() -> bool:
        status = mixed.client.call("queue_status", targets=1, verbose=False)
        return status["queue"] == 1 and status["tasks"] == 1

    wait_until(held, "both tasks to be on the engine")
    mixed.engines.pop(1).kill()
    seconds = mixed.client.call("wait_until_gone", engine_id=1, within=10)
    assert seconds < 5  # its nanny told, not its heart
    for name in ("direct", "balanced"):
        told = failure(mixed, "collect", name=name, within=10)
        assert "EngineError" in (told["type"], told.get("ename")), told
        assert "Engine 1 died while running task" in told["text"]
    assert mixed.client.call("ids") == [0]
    assert sorted(mixed.client.call("queue_status", targets="all", verbose=False)) == [
        "0",
        "unassigned",
    ]
    assert mixed.client.call("apply_all", x=3) == [6]
    assert mixed.client.call("balanced", n=4)["engines"] == [0]

    mixed.client.send("wait_for_engines", n=2)
    mixed.engines[2] = mixed.start_engine()
    assert mixed.client.answer() == [0, 2]
    assert mixed.client.call("apply_all", x=3) == [6, 6]
    assert mixed.client.call("balanced_on", targets=[2], x=3) == 6


def test_shutdown_of_an_engine(mixed: Mixed) -> None:
    mixed.client.call("shutdown_engine", engine_id=0)
    mixed.client.call("wait_until_gone", engine_id=0, within=10)
    mixed.engines.pop(0).wait()
    assert "Engine 0 is gone" in mixed.controller.text
