"""The connection between client and controller breaks, and comes back: nothing is lost."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from types import FunctionType
from typing import NamedTuple

import pytest

import ipyparallel as ipp
from ipyparallel.client.messaging import tasks as tasks_module
from tests.support.interrupts import ctrl_c_while_waiting
from tests.support.network import Network
from tests.support.processes import Controller, Engines, wait_until


class Site(NamedTuple):
    controller: Controller
    engines: Engines


def start(folder: Path, *options: str) -> Site:
    controller = Controller(folder, *options)
    engines = Engines(folder, controller.engine_file, "-n=2")
    engines.wait_ready(2)
    return Site(controller, engines)


@pytest.fixture(scope="module")
def patient(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A controller that is waited for."""
    site = start(tmp_path_factory.mktemp("patient"), "--restore")
    yield site
    site.engines.end()
    site.controller.end()


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """One that is not."""
    site = start(tmp_path_factory.mktemp("plain"))
    yield site
    site.engines.end()
    site.controller.end()


@pytest.fixture
def controller(request: pytest.FixtureRequest) -> Controller:
    site: Site = request.getfixturevalue(getattr(request, "param", "patient"))
    return site.controller


on_plain = pytest.mark.parametrize("controller", ["plain"], indirect=True)
on_each = pytest.mark.parametrize("controller", ["plain", "patient"], indirect=True)


@pytest.fixture
def network(controller: Controller) -> Iterator[Network]:
    network = Network(controller.client_file)
    yield network
    network.close()


@pytest.fixture
def client(network: Network) -> Iterator[ipp.Client]:
    with ipp.Client(str(network.file)) as client:
        client.wait_for_engines(2, timeout=20)
        yield client


def wait_until_noticed(client: ipp.Client) -> None:
    wait_until(
        lambda: len(client._messenger.connection.unopened()) == 4, "the client to see the outage"
    )


def wait_until_back(client: ipp.Client) -> None:
    wait_until(lambda: not client._messenger.connection.unopened(), "the client to be back")


def note_and_wait(key: object, begun: str = "", end: str = "") -> object:
    """Note that this ran, and say so by a file; wait for another file."""
    import os
    import time

    globals().setdefault("ran", []).append(key)
    if begun:
        open(begun, "w").close()
    while end and not os.path.exists(end):
        time.sleep(0.005)
    return key


note_and_wait.__module__ = "__main__"  # sent by value
run = FunctionType(note_and_wait.__code__, vars(sys.modules["__main__"]), "run", ("", ""))


def ran(client: ipp.Client) -> list[str]:
    """What has run, of all engines."""
    found = client[[0, 1]].pull("ran", block=True)
    return sorted(chain.from_iterable(found))


@pytest.fixture(autouse=True)
def nothing_ran(controller: Controller) -> None:
    with ipp.Client(str(controller.client_file)) as other:
        other.wait_for_engines(2, timeout=20)
        other[[0, 1]].execute("ran = []", block=True)


@on_each
def test_what_runs_while_the_connection_is_broken_arrives(
    client: ipp.Client, network: Network, tmp_path: Path
) -> None:
    begun, end = str(tmp_path / "begun"), str(tmp_path / "end")
    direct = client[0].apply_async(run, "direct", begun + "0", end)
    balanced = client.load_balanced_view(targets=1).apply_async(run, "balanced", begun + "1", end)
    executed = client[0].execute("x = 'after the first'", silent=False)
    wait_until(lambda: os.path.exists(begun + "0") and os.path.exists(begun + "1"))
    network.cut()
    wait_until_noticed(client)
    network.mend()
    wait_until_back(client)
    Path(end).touch()
    assert direct.get(20) == "direct"
    assert balanced.get(20) == "balanced"
    executed.get(20)
    assert ran(client) == ["balanced", "direct"]


@on_each
def test_results_that_were_lost_on_their_way_are_asked_for(
    client: ipp.Client, network: Network, controller: Controller, tmp_path: Path
) -> None:
    begun, end = str(tmp_path / "begun"), str(tmp_path / "end")
    with ipp.Client(str(controller.client_file)) as other:
        tasks = [
            client[0].apply_async(run, "direct", begun + "0", end),
            client.load_balanced_view(targets=1).apply_async(run, "balanced", begun + "1", end),
            client[0].apply_async(divmod, 1, 0),
        ]

        def load() -> int:
            status = other.queue_status()
            return sum(status[i]["queue"] + status[i]["tasks"] for i in (0, 1))

        wait_until(lambda: load() == 3, "the tasks to arrive")
        wait_until(lambda: os.path.exists(begun + "0") and os.path.exists(begun + "1"))
        network.swallow()
        Path(end).touch()
        wait_until(lambda: load() == 0, "the tasks to end")
        assert not any(task.done() for task in tasks)
        network.cut()
        network.mend()
        assert [task.get(20) for task in tasks[:2]] == ["direct", "balanced"]
        with pytest.raises(ZeroDivisionError):
            tasks[2].get(20)
    assert ran(client) == ["balanced", "direct"]


def test_what_is_submitted_while_the_connection_is_broken_is_kept_in_its_order(
    client: ipp.Client, network: Network
) -> None:
    view = client[0]
    network.cut()
    wait_until_noticed(client)
    pushed = view.push({"number": 1}, block=False)
    read = view.pull("number", block=False)
    with pytest.raises(TimeoutError):
        read.get(0.05)
    again = view.push({"number": 2}, block=False)
    reread = view.pull("number", block=False)
    balanced = client.load_balanced_view().map_async(abs, range(-200, 0))
    status = client._messenger.request("query", "queue_request", {})
    network.mend()
    pushed.get(20)
    again.get(20)
    assert (read.get(20), reread.get(20)) == (1, 2)
    assert balanced.get(20) == list(range(200, 0, -1))
    assert "unassigned" in status.result(20)
    assert not client.outstanding


def test_requests_that_were_lost_are_sent_again_before_later_ones(
    client: ipp.Client, network: Network
) -> None:
    data = bytearray(b"x" * 200_000)  # large enough not to be copied
    network.swallow()
    lost = client[0].push({"data": data, "number": 1}, block=False)
    lost_too = client.load_balanced_view(targets=1).apply_async(len, data)
    data[:1] = b"y"  # is not what was sent
    network.cut()
    wait_until_noticed(client)
    later = client[0].pull(["number", "data"], block=False)
    network.mend()
    lost.get(20)
    assert later.get(20) == [1, bytearray(b"x" * 200_000)]
    assert lost_too.get(20) == 200_000
    assert client._messenger.tasks.kept == 0


@on_each
def test_what_waits_to_be_sent_is_tracked(client: ipp.Client, network: Network) -> None:
    view = client[0]
    view.track = True
    network.cut()
    wait_until_noticed(client)
    pushed = view.push({"data": bytes(200_000)}, block=False)
    assert not pushed.sent
    network.mend()
    pushed.get(20)
    pushed.wait_for_send(20)
    assert pushed.sent


@on_plain
def test_requests_that_were_lost_and_not_kept_fail_and_say_why(
    client: ipp.Client, network: Network
) -> None:
    network.swallow()
    tasks = [client[0].apply_async(abs, 1), client.load_balanced_view().apply_async(abs, 1)]
    signal = client.send_signal("SIGCONT", 0, block=False)
    network.cut()
    network.mend()
    for task in tasks:
        with pytest.raises(ipp.ControllerLost, match="connection to the controller broke, and No"):
            task.get(20)
    with pytest.raises(ipp.CompositeError, match=r"signal_request .* is not known"):
        signal.get(20)
    assert client[0].apply_sync(abs, -1) == 1


def test_what_is_too_large_to_be_kept_fails_and_says_so(
    client: ipp.Client, network: Network, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tasks_module, "KEPT_LIMIT", 10_000)
    network.swallow()
    small = client[0].apply_async(abs, -1)
    large = client[0].apply_async(len, bytes(20_000))
    network.cut()
    network.mend()
    with pytest.raises(ipp.ControllerLost, match="no more is kept"):
        large.get(20)
    assert small.get(20) == 1


def test_the_connection_may_break_again_at_any_time(client: ipp.Client, network: Network) -> None:
    view = client.load_balanced_view()
    tasks = []
    for n in range(15):
        tasks += [view.apply_async(run, f"{n} {i}") for i in range(10)]
        tasks += [client[n % 2].apply_async(run, f"{n} direct")]
        (network.swallow, network.cut)[n % 2]()
        tasks += [view.apply_async(run, f"{n} later")]
        network.cut()
        if n % 3:
            wait_until_noticed(client)
        network.mend()
        if n % 4 == 0:
            wait_until_back(client)
    names = [task.get(30) for task in tasks]
    assert len(set(names)) == len(tasks) == 15 * 12
    assert set(names) <= set(ran(client))


def test_engines_that_leave_or_come_during_an_outage_are_seen(
    client: ipp.Client, network: Network, controller: Controller, tmp_path: Path
) -> None:
    extra = Engines(tmp_path, controller.engine_file)
    try:
        extra.wait_ready()
        client.wait_for_engines(3, timeout=20)
        (gone,) = set(client.ids) - {0, 1}
        begun = str(tmp_path / "begun")
        running = client[gone].apply_async(run, "gone", begun, str(tmp_path / "never"))
        wait_until(lambda: os.path.exists(begun))
        network.cut()
        wait_until_noticed(client)
        with ipp.Client(str(controller.client_file)) as other:
            extra.end()
            wait_until(lambda: gone not in other.ids)
            extra = Engines(tmp_path, controller.engine_file)
            extra.wait_ready()
            wait_until(lambda: len(other.ids) == 3)
            come = other.ids[-1]
        assert gone in client.ids
        network.mend()
        with pytest.raises(ipp.EngineError, match=f"Engine {gone} "):
            running.get(20)
        wait_until(lambda: come in client.ids)
        assert client[come].apply_sync(abs, -1) == 1
    finally:
        extra.end()


def test_a_controller_that_does_not_come_back_is_given_up(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    controller = Controller(tmp_path, "--restore", "--IPController.restore_patience=2")
    try:
        with ipp.Client(str(controller.client_file)) as client:
            controller.kill()
            wait_until_noticed(client)
            held = client.load_balanced_view().apply_async(abs, -1)
            with pytest.raises(ipp.ControllerLost, match="the controller is gone"):
                held.get(20)
            with pytest.raises(ipp.ControllerLost):
                client.load_balanced_view().apply_async(abs, -1)
    finally:
        controller.end()
    assert [r for r in caplog.records if "waiting up to 2 s" in r.message]


def test_a_client_can_be_closed_while_the_controller_is_away(
    client: ipp.Client, network: Network
) -> None:
    network.cut()
    wait_until_noticed(client)
    held = client[0].apply_async(abs, -1)
    client.close()
    with pytest.raises(ipp.ClientClosed):
        held.get(20)


def test_waiting_for_a_controller_can_be_interrupted(client: ipp.Client, network: Network) -> None:
    network.cut()
    wait_until_noticed(client)
    held = client[0].apply_async(abs, -1)
    with ctrl_c_while_waiting(), pytest.raises(KeyboardInterrupt):
        held.get(20)
    network.mend()
    assert held.get(20) == 1


def test_another_clients_task_is_waited_for_across_an_outage(
    client: ipp.Client, network: Network, controller: Controller, tmp_path: Path
) -> None:
    begun, end = str(tmp_path / "begun"), str(tmp_path / "end")
    with ipp.Client(str(controller.client_file)) as other:
        theirs = other[0].apply_async(run, "theirs", begun, end)
        wait_until(lambda: os.path.exists(begun))
        result = client.get_result(theirs.msg_ids[0])
        network.swallow()
        Path(end).touch()
        theirs.get(20)
        network.cut()
        network.mend()
        assert result.get(20) == "theirs"
