"""A controller that is killed, and started again: all that was there goes on."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import zmq

import ipyparallel as ipp
from ipyparallel.serialize.apply import pack_call
from ipyparallel.serialize.functions import PickledFunctions
from tests.support.processes import Controller, Engines, PeerEngine, port_range, wait_until
from tests.support.raw import Raw

_FAST = ("--HeartMonitor.period=200",)


@dataclass
class Site:
    """A profile in which controllers run, one after the other."""

    folder: Path
    options: tuple[str, ...] = ()
    #: Seconds that a controller waits for engines that do not come back.
    restore_wait: float = 100
    ports: str = field(default_factory=port_range)
    parts: list[Any] = field(default_factory=list)

    def start(self, *options: str) -> Controller:
        controller = Controller(
            self.folder,
            *_FAST,
            f"--ports={self.ports}",
            f"--IPController.restore_wait={self.restore_wait}",
            *self.options,
            *options,
        )
        self.parts.append(controller)
        return controller

    def start_engines(self, controller: Controller, n: int = 1) -> Engines:
        engines = Engines(self.folder, controller.engine_file, "-n", str(n))
        self.parts.append(engines)
        return engines

    def connect(self, controller: Controller, n: int) -> ipp.Client:
        client = ipp.Client(str(controller.client_file))
        self.parts.append(client)
        client.wait_for_engines(n, timeout=40)
        return client

    def close(self) -> None:
        for part in reversed(self.parts):
            part.close() if hasattr(part, "close") else part.end()


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    site = Site(tmp_path)
    yield site
    site.close()


def table_of(controller: Controller) -> Path:
    return controller.profile / "log" / "engines.json"


@dataclass
class Steps:
    """What a task leaves and waits for."""

    begun: Path
    go: Path
    log: Path

    def task(self, result: object = "done") -> Callable[[], object]:
        begun, go, log = self.begun, self.go, self.log

        def run() -> object:
            import time

            begun.touch()
            deadline = time.monotonic() + 60
            while not go.exists() and time.monotonic() < deadline:
                time.sleep(0.01)
            with log.open("a") as file:
                file.write("x")
            return result

        return run


@pytest.fixture
def steps(tmp_path: Path) -> Steps:
    return Steps(tmp_path / "begun", tmp_path / "go", tmp_path / "log")


class Submitter:
    """A client whose sockets have an identity of their own, so that it can be found again."""

    def __init__(self, controller: Controller) -> None:
        self.raw = Raw(controller.client_file, controller.engine_file)
        self.task = self.raw.connect(self.raw.client.task, b"submitter")
        self.direct = self.raw.connect(self.raw.client.mux, b"submitter")

    def make(self, func: Callable[..., Any], *args: Any, **metadata: Any) -> Any:
        """A header, and what makes a signed request with it."""
        content, buffers = pack_call(func, args, {}, PickledFunctions())
        header = self.raw.session.header("apply_request")

        def frames(n: int = 0) -> Any:
            return self.raw.session.frame(
                header, content, metadata={**metadata, "label": str(n)}, buffers=buffers
            )

        return frames

    def answer(self, socket: zmq.Socket[bytes], timeout: float = 30.0) -> Any:
        return self.raw.read(socket, timeout)

    def close(self) -> None:
        self.raw.close()


@pytest.mark.parametrize("transport", ["tcp", "ipc"])
def test_engines_come_back_as_they_were(site: Site, transport: str) -> None:
    site.options = ("--restore", f"--transport={transport}")
    first = site.start()
    site.start_engines(first, 2)
    rc = site.connect(first, 2)
    rc[:].push({"a": 5}, block=True)
    pids = rc[:].apply_async(os.getpid).get_dict(timeout=20)
    before = first.info()
    table = json.loads(table_of(first).read_text())
    assert sorted(table["engines"]) == ["0", "1"]
    assert table["next_id"] == 2
    first.kill()
    second = site.start()
    assert second.info() == before
    rc = site.connect(second, 2)
    assert rc.ids == [0, 1]
    assert rc[:].apply_async(os.getpid).get_dict(timeout=20) == pids
    assert rc[:].pull("a", block=False).get(20) == [5, 5]
    assert rc.load_balanced_view().apply_async(os.getpid).get(20) in pids.values()
    rc.send_signal(signal.SIGKILL, 0).get(20)
    wait_until(lambda: rc.ids == [1], "the agent to tell of a death")
    wait_until(lambda: list(json.loads(table_of(second).read_text())["engines"]) == ["1"])


def submit_and_begin(
    site: Site, steps: Steps, first: Controller, n: int
) -> tuple[Submitter, Callable[..., Any]]:
    """Start so many engines, one of which runs a balanced task: its client, and the request."""
    site.start_engines(first, n)
    site.connect(first, n)
    client = Submitter(first)
    site.parts.append(client)
    request: Callable[..., Any] = client.make(steps.task())
    client.task.send_multipart(request())
    wait_until(steps.begun.exists)
    return client, request


def test_what_runs_goes_on(site: Site, steps: Steps) -> None:
    """A balanced task is not run twice, though its client sends it again; its result arrives."""
    site.options = ("--restore",)
    first = site.start()
    client, request = submit_and_begin(site, steps, first, 2)
    first.kill()
    second = site.start()
    # at once, before any engine is back
    client.task.send_multipart(request(1))
    rc = site.connect(second, 2)
    status = rc.queue_status()
    assert sorted(status[i]["tasks"] for i in (0, 1)) == [0, 1]
    # the engine is known to be busy: others get what is new
    assert rc.load_balanced_view().apply_async(os.getpid).get(20)
    steps.go.touch()
    reply = client.answer(client.task)
    assert reply.content()["status"] == "ok"
    assert steps.log.read_text() == "x"


def test_a_result_that_came_while_the_controller_was_gone(site: Site, steps: Steps) -> None:
    """It goes to the client that its request named, be it sent again or not."""
    site.options = ("--restore",)
    first = site.start()
    site.start_engines(first, 1)
    rc = site.connect(first, 1)
    client = Submitter(first)
    site.parts.append(client)
    balanced, direct = client.make(steps.task()), client.make(pow, 2, 3)
    uuid = rc._messenger.engines.uuid(0).encode()
    client.task.send_multipart(balanced())
    wait_until(steps.begun.exists)
    client.direct.send_multipart([uuid, *direct()])
    wait_until(lambda: rc.queue_status()[0]["queue"] == 1)
    first.kill()
    steps.go.touch()
    wait_until(steps.log.exists)
    client.task.send_multipart(balanced(1))
    client.direct.send_multipart([uuid, *direct(1)])
    second = site.start()
    assert client.answer(client.task).content()["status"] == "ok"
    assert client.answer(client.direct).content()["status"] == "ok"
    site.connect(second, 1)
    assert steps.log.read_text() == "x"


def test_a_task_is_not_run_again_for_a_client_that_is_late(site: Site, steps: Steps) -> None:
    """Its engine has answered meanwhile, and nothing is waited for any more."""
    site.options = ("--restore", "--nodb")
    first = site.start()
    client, request = submit_and_begin(site, steps, first, 1)
    first.kill()
    steps.go.touch()
    wait_until(steps.log.exists)
    rc = site.connect(site.start(), 1)
    # the engine has answered again
    wait_until(lambda: rc.queue_status()[0]["tasks"] == 0)
    client.task.send_multipart(request(1))
    # the only engine does one after the other
    client.task.send_multipart(client.make(pow, 2, 3)())
    answered = []
    while len(set(answered)) < 2:
        assert client.task.poll(30_000)
        # the same answer may have come before
        answer = client.raw.session.parse(client.task.recv_multipart(), fresh=False)
        assert answer.content()["status"] == "ok"
        answered.append(answer.parent.msg_id)
    assert steps.log.read_text() == "x"


def test_tasks_that_nobody_holds_run_after_all(site: Site) -> None:
    """An engine that is expected, and dead, holds them up for a few seconds at most."""
    site.options, site.restore_wait = ("--restore",), 1
    first = site.start()
    engines = site.start_engines(first, 1)
    site.connect(first, 1)
    first.kill()
    engines.kill()
    for process in engines._family:
        process.kill()
    second = site.start()
    site.start_engines(second, 1)
    rc = site.connect(second, 1)
    assert rc.ids == [1]
    assert rc.load_balanced_view().apply_async(pow, 2, 3).get(30) == 8
    assert "Not waiting for 1 engines" in second.text


def test_who_died_meanwhile_is_not_waited_for(site: Site) -> None:
    """Its agent tells of it, as soon as it can."""
    site.options = ("--restore",)
    first = site.start()
    site.start_engines(first, 2)
    rc = site.connect(first, 2)
    pids = rc[:].apply_async(os.getpid).get_dict(timeout=20)
    first.kill()
    os.kill(pids[0], signal.SIGKILL)
    rc = site.connect(site.start(), 1)
    assert rc.load_balanced_view().apply_async(os.getpid).get(30) == pids[1]
    assert rc.ids == [1]


def test_requests_to_engines_that_do_not_come_back_are_refused(site: Site) -> None:
    site.options, site.restore_wait = ("--restore",), 1
    first = site.start()
    engines = site.start_engines(first, 1)
    rc = site.connect(first, 1)
    uuid = rc._messenger.engines.uuid(0).encode()
    client = Submitter(first)
    site.parts.append(client)
    first.kill()
    engines.kill()
    for process in engines._family:
        process.kill()
    client.direct.send_multipart([uuid, *client.make(pow, 2, 3)()])
    site.start()
    assert "cannot be reached" in client.answer(client.direct).content()["evalue"]


def test_a_clean_end_leaves_nothing_that_waits(site: Site) -> None:
    site.options = ("--restore",)
    controller = site.start()
    engines = site.start_engines(controller, 2)
    site.connect(controller, 2)
    controller.send_signal(signal.SIGTERM)
    assert controller.wait() == 0
    assert not table_of(controller).exists()
    assert engines.wait(20) == 0
    # the files stay, and do no harm
    site.connect(site.start(), 0)


def test_engines_do_not_wait_for_a_controller_that_is_not_to_come_back(site: Site) -> None:
    controller = site.start()
    engines = site.start_engines(controller, 1)
    site.connect(controller, 1)
    assert not table_of(controller).exists()
    controller.kill()
    assert engines.wait(20) == 0
    # what was left does not matter to the next one
    fresh = site.start()
    assert fresh.running


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"engines": {"x": 5}}', '{"engines": {"x": "y"}}'], ids=repr
)
def test_a_table_that_makes_no_sense_is_ignored(site: Site, text: str) -> None:
    site.options = ("--restore",)
    first = site.start()
    first.kill()
    table_of(first).write_text(text)
    second = site.start()
    assert "is of no use" in second.text
    site.start_engines(second)
    assert site.connect(second, 1).ids == [0]


def test_reused_files_stay_and_keep_the_ports(site: Site) -> None:
    first = site.start("--reuse")
    before = first.info()
    first.end()
    second = site.start("--reuse", "--transport=ipc")
    assert second.info() == before
    site.start_engines(second)
    assert site.connect(second, 1).ids == [0]
    assert not table_of(second).exists()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda text: "{", "is not JSON"),
        (lambda text: text.replace('"key": "', '"key": "x'), "disagree on key"),
        (lambda text: text.replace('"mux"', '"nux"'), "missing 'mux'"),
    ],
    ids=["no json", "other key", "incomplete"],
)
def test_files_that_disagree_are_refused(site: Site, change: Any, said: str) -> None:
    first = site.start("--reuse")
    first.end()
    first.client_file.write_text(change(first.client_file.read_text()))
    with pytest.raises(AssertionError, match="cannot start") as info:
        site.start("--reuse")
    assert said in str(info.value)
    assert "begin afresh" in str(info.value)


def test_a_controller_that_is_running_is_not_replaced(site: Site) -> None:
    first = site.start("--reuse")
    with pytest.raises(AssertionError, match="Is its controller still running"):
        site.start("--reuse")
    site.start_engines(first)
    assert site.connect(first, 1).ids == [0]


def test_published_engines_go_on(site: Site) -> None:
    python = os.environ.get("IPP_PEER_PYTHON")
    if not python:
        pytest.skip("IPP_PEER_PYTHON names no Python with the published package")
    site.options = ("--restore",)
    first = site.start()
    engine = PeerEngine(python, site.folder, first.engine_file)
    site.parts.append(engine)
    rc = site.connect(first, 1)
    rc[0].execute("a = 5", block=True)
    first.kill()
    second = site.start()
    rc = site.connect(second, 1)
    assert rc.ids == [0]
    assert rc[0].execute("assert a == 5").get(30)
