"""Our engine and our client beside published ones, on one controller."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

import ipyparallel as ipp
from tests.interop.conftest import Mixed, make_mixed
from tests.support.peer import PeerError
from tests.support.processes import Engines, wait_until

pytestmark = pytest.mark.interop


@pytest.fixture(scope="module")
def mixed(peer_python: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mixed]:
    yield from make_mixed(peer_python, tmp_path_factory.mktemp("beside"))


@pytest.fixture(scope="module")
def client(mixed: Mixed) -> Iterator[ipp.Client]:
    """Our client, before our engine is there."""
    with ipp.Client(str(mixed.controller.client_file)) as client:
        yield client


@pytest.fixture(scope="module")
def our_engine(mixed: Mixed, client: ipp.Client) -> Iterator[Engines]:
    engine = Engines(mixed.folder, mixed.controller.engine_file)
    try:
        client.wait_for_engines(3, timeout=30)
        yield engine
    finally:
        engine.end()


@pytest.mark.usefixtures("our_engine")
def test_both_clients_see_all_engines(mixed: Mixed, client: ipp.Client) -> None:
    assert client.ids == [0, 1, 2]
    assert mixed.client.call("wait_for_engines", n=3) == [0, 1, 2]
    with ipp.Client(str(mixed.controller.client_file)) as late:
        assert late.ids == [0, 1, 2]
        assert late[2].apply_sync(len, "abc") == 3


@pytest.mark.usefixtures("our_engine")
@pytest.mark.parametrize("targets", [0, [1], [0, 2], "all"])
def test_our_calls_to_published_engines_are_refused(client: ipp.Client, targets: object) -> None:
    view = client.direct_view(targets)
    before = client.outstanding
    with pytest.raises(ipp.EngineError, match=r"engine [01] is of the published ipyparallel"):
        view.apply_async(os.getpid)
    assert client.outstanding == before


@pytest.mark.usefixtures("our_engine")
def test_our_direct_calls_to_our_engine(client: ipp.Client) -> None:
    assert client[2].apply_sync(pow, 2, 10) == 1024


@pytest.mark.usefixtures("our_engine")
def test_our_code_runs_on_published_engines(client: ipp.Client) -> None:
    result = client[:].execute("import ipyparallel; print(ipyparallel.__version__)", silent=False)
    result.get(20)
    assert result.wait_for_output(20)
    peer, peer_too, ours = (text.strip() for text in result.stdout)
    assert peer == peer_too == "9.2.0"
    assert ours == ipp.__version__


@pytest.mark.usefixtures("our_engine")
def test_our_balanced_tasks_run_on_our_engine_only(client: ipp.Client) -> None:
    view = client.load_balanced_view()
    (our_pid,) = {client[2].apply_sync(os.getpid)}
    results = [view.apply_async(os.getpid) for _ in range(30)]
    assert {result.get(20) for result in results} == {our_pid}
    assert {result.engine_id for result in results} == {2}
    assert view.map_sync(abs, range(-5, 0)) == [5, 4, 3, 2, 1]


@pytest.mark.usefixtures("our_engine")
def test_published_calls_run_on_our_engine(mixed: Mixed) -> None:
    mixed.client.call("wait_for_engines", n=3)
    assert mixed.client.call("apply_one", engine_id=2, x="ab") == "abab"
    assert mixed.client.call("apply_all", x=4) == [8, 8, 8]
    assert mixed.client.call("direct_map", n=7) == [0, 2, 4, 6, 8, 10, 12]
    assert mixed.client.call("metadata", engine_id=2) == {
        "engine_id": 2,
        "engine_uuid": True,
        "status": "ok",
        "output_ready": True,
    }
    value = {"a": [1, 2.5, None, "ü"]}
    assert mixed.client.call("push_pull", value=value) == {
        "pulled": [value, value, value],
        "gathered": list(range(8)),
    }


@pytest.mark.usefixtures("our_engine")
@pytest.mark.parametrize("engine_id", [0, 2])
def test_functions_and_data_of_a_published_client(mixed: Mixed, engine_id: int) -> None:
    mixed.client.call("wait_for_engines", n=3)
    assert mixed.client.call("work_on", engine_id=engine_id) == {
        "pulled": [499500.0],
        "pulled names": [[5, 6]],
        "gathered": True,
        "closure": [9],
        "arguments": [[499500.0, 499500.0]],
        "reference": [499500.0],
        "array": [999000.0],
        "function": [2],
        "class": [4],
        "map": [0, 2, 4, 6, 8],
        "required": [["bisect", 7]],
        "imported": ["0123456789"],
    }


@pytest.mark.usefixtures("our_engine")
@pytest.mark.parametrize("engine_id", [0, 2])
def test_requirements_of_a_published_client(mixed: Mixed, engine_id: int) -> None:
    mixed.client.call("wait_for_engines", n=3)
    assert mixed.client.call("requires", engine_id=engine_id, answer=True) == 2
    with pytest.raises(PeerError) as caught:
        mixed.client.call("requires", engine_id=engine_id, answer=False)
    assert caught.value.told["ename"] == "UnmetDependency"


@pytest.mark.usefixtures("our_engine")
def test_errors_on_our_engine_reach_a_published_client(mixed: Mixed) -> None:
    mixed.client.call("wait_for_engines", n=3)
    with pytest.raises(PeerError) as caught:
        mixed.client.call("fail_direct", targets=2)
    told = caught.value.told
    assert (told["ename"], told["evalue"], told["engine_id"]) == ("KeyError", "'direct'", 2)
    with pytest.raises(PeerError) as caught:
        mixed.client.call("returns_a_lock", engine_id=2)
    told = caught.value.told
    assert told["ename"] == "UnpicklableResult"
    assert "returned a list, in which [0] is a lock" in told["evalue"]


@pytest.mark.usefixtures("our_engine")
def test_published_balanced_tasks_run_on_our_engine(mixed: Mixed) -> None:
    mixed.client.call("wait_for_engines", n=3)
    assert mixed.client.call("balanced_on", targets=[2], x=5) == 10
    assert mixed.client.call("balanced_map", n=20, targets=[2]) == [2 * i for i in range(20)]
    assert mixed.client.call("balanced", n=30) == {
        "results": [2 * i for i in range(30)],
        "engines": [0, 1, 2],
        "statuses": ["ok"],
    }


@pytest.mark.usefixtures("our_engine")
def test_published_code_runs_on_our_engine(mixed: Mixed) -> None:
    mixed.client.call("wait_for_engines", n=3)
    shown = mixed.client.call("execute", code="print('hello from', 1 + 1)", targets=2)
    assert shown["stdout"] == "hello from 2\n"


@pytest.mark.usefixtures("our_engine")
def test_published_balanced_tasks_run_on_published_engines(mixed: Mixed) -> None:
    mixed.client.call("wait_for_engines", n=3)
    assert mixed.client.call("balanced_on", targets=[0, 1], x=5) == 10


@pytest.mark.usefixtures("our_engine")
def test_work_of_both_clients_at_once(mixed: Mixed, client: ipp.Client) -> None:
    view = client.load_balanced_view()
    mixed.client.send("balanced_on", targets=[0, 1], x=6)
    assert view.map_sync(abs, range(-50, 0)) == list(range(50, 0, -1))
    assert mixed.client.answer() == 12


def test_our_client_sees_a_published_engine_die(mixed: Mixed, client: ipp.Client) -> None:
    slow = client[1].execute("import time; time.sleep(120)", silent=False, block=False)
    wait_until(lambda: client.queue_status(1)["queue"] == 1, "the execution to be on its way")
    mixed.engines.pop(1).kill()
    with pytest.raises(ipp.EngineError, match="Engine 1 died while running task"):
        slow.get(20)
    assert 1 not in client.ids
