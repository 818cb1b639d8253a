"""What an engine does when it is asked to cancel requests."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import ipyparallel as ipp


def hold(begun: str, go_on: str, how: str = "loop") -> str:
    """Wait in one of several ways until the file `go_on` is there."""
    import os
    import time

    open(begun, "w").close()
    if how == "sleep":
        time.sleep(1000)
    while not os.path.exists(go_on):
        if how == "loop":
            time.sleep(0.01)
    return "went on"


def shield(begun: str, go_on: str) -> str:
    """The same; what interrupts it does not end it."""
    try:
        return hold(begun, go_on)
    except KeyboardInterrupt:
        return "ended well"


def spoil(begun: str, go_on: str) -> str:
    """The same; another error comes of the interrupt."""
    try:
        return hold(begun, go_on)
    except KeyboardInterrupt:
        raise ValueError("not in time") from None


CELLS = {
    "sleep": "import time; open({!r}, 'w').close(); time.sleep(1000)",
    "loop": "open({!r}, 'w').close()\nwhile True: pass",
    "await": "import asyncio; open({!r}, 'w').close(); await asyncio.sleep(1000)",
    "sleep beside await": (
        "import asyncio, time; await asyncio.sleep(0); open({!r}, 'w').close(); time.sleep(1000)"
    ),
}


class Files:
    """By which a task tells that it has begun, and is told to go on."""

    def __init__(self, folder: Path) -> None:
        self.begun = folder / "begun"
        self.go_on = folder / "go on"

    @property
    def names(self) -> tuple[str, str]:
        return str(self.begun), str(self.go_on)

    def wait(self) -> None:
        while not self.begun.exists():
            time.sleep(0.01)


@pytest.fixture
def files(tmp_path: Path) -> Iterator[Files]:
    files = Files(tmp_path)
    yield files
    files.go_on.touch()


def views(client: ipp.Client) -> dict[str, Any]:
    return {"direct": client[0], "balanced": client.load_balanced_view(0)}


def cancel(client: ipp.Client, *msg_ids: str) -> list[str]:
    """What engine 0 says of these."""
    content = {"msg_ids": list(msg_ids)}
    uuid = client._messenger.engines.uuid(0)
    reply = client._messenger.request("control", "cancel_request", content, uuid).result(20)
    assert reply["status"] == "ok"
    return [reply["outcomes"][msg_id] for msg_id in msg_ids]


def is_aborted(result: ipp.AsyncResult) -> bool:
    with pytest.raises(ipp.TaskAborted):
        result.get(20)
    assert result.status == "aborted"
    assert not result.error
    return True


@pytest.fixture(autouse=True)
def unharmed(client: ipp.Client) -> Iterator[None]:
    """After each test the engine does what it is told."""
    client[0].push({"hold": hold}, block=True)
    yield
    assert client[0].apply_sync(lambda: 1) == 1


@pytest.mark.parametrize("kind", ["direct", "balanced"])
@pytest.mark.parametrize("how", ["sleep", "loop", "busy"])
def test_a_call_that_runs(client: ipp.Client, files: Files, kind: str, how: str) -> None:
    result = views(client)[kind].apply_async(hold, *files.names, how)
    files.wait()
    assert cancel(client, result.msg_ids[0]) == ["running"]
    assert is_aborted(result)
    assert cancel(client, result.msg_ids[0]) == ["finished"]


@pytest.mark.parametrize("code", CELLS.values(), ids=CELLS.keys())
def test_a_cell_that_runs(client: ipp.Client, files: Files, code: str) -> None:
    result = client[0].execute(f"print('seen')\n{code.format(str(files.begun))}", silent=False)
    behind = client[0].execute("print('behind')")
    files.wait()
    assert cancel(client, result.msg_ids[0]) == ["running"]
    assert is_aborted(result)
    assert result.wait_for_output(20)
    assert (result.stdout, result.stderr) == ("seen\n", "")
    behind.get(20)
    assert behind.stdout == "behind\n"


def test_what_ends_well_all_the_same(client: ipp.Client, files: Files) -> None:
    result = client[0].apply_async(shield, *files.names)
    files.wait()
    assert cancel(client, result.msg_ids[0]) == ["running"]
    assert result.get(20) == "ended well"


def test_what_fails_otherwise(client: ipp.Client, files: Files) -> None:
    result = client[0].apply_async(spoil, *files.names)
    files.wait()
    cancel(client, result.msg_ids[0])
    assert is_aborted(result)


def test_output_before_it(client: ipp.Client, files: Files) -> None:
    def speak(*names: str) -> None:
        print("spoken")
        hold(*names)  # the engine's

    result = client[0].apply_async(speak, *files.names)
    files.wait()
    cancel(client, result.msg_ids[0])
    assert is_aborted(result)
    assert result.wait_for_output(20)
    assert result.stdout == "spoken\n"
    assert result._children[0].output_expected == 1


@pytest.mark.parametrize("kind", ["direct", "balanced"])
def test_what_waits_is_not_run(client: ipp.Client, files: Files, kind: str) -> None:
    first = client[0].apply_async(hold, *files.names)
    files.wait()
    view = views(client)[kind]
    second, third = view.apply_async(str, 2), client[0].apply_async(str, 3)
    assert cancel(client, second.msg_ids[0]) == ["queued"]
    files.go_on.touch()
    assert is_aborted(second)
    assert (first.get(20), third.get(20)) == ("went on", "3")
    assert cancel(client, *second.msg_ids, *third.msg_ids) == ["finished"] * 2


def test_a_cell_that_waits(client: ipp.Client, files: Files) -> None:
    client[0].apply_async(hold, *files.names)
    files.wait()
    cell = client[0].execute("ran = True")
    assert cancel(client, cell.msg_ids[0]) == ["queued"]
    files.go_on.touch()
    assert is_aborted(cell)


def test_the_next_task_is_not_hit(client: ipp.Client) -> None:
    """Those that end while they are cancelled."""
    view = client[0]
    for count in range(200):
        first = view.apply_async(lambda n=count: sum(range(n * 20)))
        second = view.apply_async(lambda: sum(range(20_000)))
        (outcome,) = cancel(client, first.msg_ids[0])
        assert second.get(20) == sum(range(20_000))
        if outcome == "finished":
            first.get(20)
        elif outcome == "queued":
            assert is_aborted(first)


def test_a_sigint_from_outside_is_an_error(client: ipp.Client, files: Files) -> None:
    result = client[0].apply_async(hold, *files.names)
    files.wait()
    client.send_signal(signal.SIGINT, targets=0, block=True)
    with pytest.raises(ipp.RemoteError, match="KeyboardInterrupt"):
        result.get(20)


def test_an_awaiting_cell_is_interrupted_from_outside(client: ipp.Client, files: Files) -> None:
    for code in CELLS["await"], CELLS["sleep beside await"]:
        files.begun.unlink(missing_ok=True)
        result = client[0].execute(code.format(str(files.begun)))
        files.wait()
        client.send_signal(signal.SIGINT, targets=0, block=True)
        with pytest.raises(ipp.RemoteError, match=r"CancelledError|KeyboardInterrupt"):
            result.get(20)


def test_malformed(client: ipp.Client) -> None:
    uuid = client._messenger.engines.uuid(0)
    for content in {}, {"msg_ids": "one"}, {"msg_ids": [1]}:
        reply = client._messenger.request("control", "cancel_request", content, uuid)
        with pytest.raises(ipp.RemoteError, match="cancel_request is malformed"):
            reply.result(20)
