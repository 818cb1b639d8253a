"""An engine that Jupyter's front ends can connect to."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from unittest.mock import ANY

import pytest
from jupyter_client.blocking.client import BlockingKernelClient

import ipyparallel as ipp
from tests.support.processes import wait_until
from tests.support.waiting import wait_for_file, wait_for_queue

NewCluster = Callable[..., tuple[ipp.Cluster, ipp.Client]]


def connect(path: str) -> BlockingKernelClient:
    front_end = BlockingKernelClient(connection_file=path)
    front_end.load_connection_file()
    front_end.start_channels()
    front_end.wait_for_ready(timeout=20)
    return front_end


@pytest.fixture
def front_end(client: ipp.Client) -> Iterator[BlockingKernelClient]:
    front_end = connect(client[0].apply_sync(ipp.bind_kernel))
    yield front_end
    front_end.stop_channels()


def run(front_end: BlockingKernelClient, code: str, **options: Any) -> tuple[dict, str]:
    """Execute; the content of the reply, and what was shown."""
    shown: list[str] = []

    def show(message: dict) -> None:
        content = message["content"]
        shown.append(content.get("text") or content.get("data", {}).get("text/plain", ""))

    reply = front_end.execute_interactive(code, timeout=20, output_hook=show, **options)
    return reply["content"], "".join(shown)


def test_it_shares_the_namespace(client: ipp.Client, front_end: BlockingKernelClient) -> None:
    client[0]["from_client"] = 41
    assert run(front_end, "print('x'); here = from_client + 1; here")[1] == "x\n42"
    assert client[0]["here"] == 42
    matches = front_end.complete("from_cl", reply=True, timeout=20)["content"]["matches"]
    assert matches == ["from_client"]


def test_input_is_asked_for(client: ipp.Client, front_end: BlockingKernelClient) -> None:
    def answer(message: dict) -> None:
        front_end.input(message["content"]["prompt"] + "me")

    run(front_end, "name = input('who? ')", stdin_hook=answer)
    assert client[0]["name"] == "who? me"
    with pytest.raises(ipp.RemoteError, match="does not support input"):
        client[0].execute("input()", block=True)


def test_errors_and_the_connection_are_shown(front_end: BlockingKernelClient) -> None:
    reply, _ = run(front_end, "1/0")
    assert reply["ename"] == "ZeroDivisionError"
    _, shown = run(front_end, "%connect_info")
    assert front_end.connection_file in shown
    assert '"shell_port"' in shown
    assert front_end.hb_channel.is_beating()


ALONE = """
import time
seen.append(busy)
busy = True
time.sleep(0.05)
busy = False
"""


def test_requests_of_both_take_turns(client: ipp.Client, front_end: BlockingKernelClient) -> None:
    client[0].execute("busy, seen = False, []", block=True)
    own = [client[0].execute(ALONE) for _ in range(3)]
    for _ in range(3):
        front_end.execute(ALONE)
    run(front_end, ALONE)
    client.wait(own, timeout=20)
    assert client[0]["seen"] == [False] * 7


def test_to_leave_a_front_end_does_not_end_the_engine(
    client: ipp.Client, front_end: BlockingKernelClient
) -> None:
    pid = client[0].apply_sync(os.getpid)
    reply, _ = run(front_end, "exit")
    # a console ends then, and would ask the kernel to end, too, if that were not to be kept
    assert reply["payload"][0] == {"source": "ask_exit", "keepkernel": True}
    assert client[0].apply_sync(os.getpid) == pid
    assert run(front_end, "6 * 7")[1] == "42"


def test_a_failure_of_one_does_not_abort_the_other(
    client: ipp.Client, front_end: BlockingKernelClient, tmp_path: Path
) -> None:
    failing = client[0].execute(wait_for_file(tmp_path / "go") + "1/0", silent=False)
    behind = client[0].execute("2", silent=False)
    wait_for_queue(client, 2)
    msg_id = front_end.execute("one_and_one = 1 + 1")
    (tmp_path / "go").touch()
    reply = front_end.get_shell_msg(timeout=20)
    with pytest.raises(ipp.RemoteError):
        failing.get(20)
    with pytest.raises(ipp.TaskAborted):
        behind.get(20)
    assert reply["parent_header"]["msg_id"] == msg_id
    assert reply["content"]["status"] == "ok"
    assert client[0]["one_and_one"] == 2


def test_an_interrupt_over_the_control_channel(
    client: ipp.Client, front_end: BlockingKernelClient, tmp_path: Path
) -> None:
    begun = tmp_path / "begun"
    msg_id = front_end.execute(f"open({str(begun)!r}, 'w').close(); import time; time.sleep(60)")
    while not begun.exists():
        time.sleep(0.01)
    for msg_type in ("interrupt", "kernel_info"):
        front_end.control_channel.send(front_end.session.msg(f"{msg_type}_request", {}))
        reply = front_end.get_control_msg(timeout=20)
        assert (reply["msg_type"], reply["content"]["status"]) == (f"{msg_type}_reply", "ok")
    while (reply := front_end.get_shell_msg(timeout=20))["parent_header"]["msg_id"] != msg_id:
        pass
    assert reply["content"]["ename"] == "KeyboardInterrupt"


def test_a_second_call_changes_nothing(client: ipp.Client) -> None:
    paths = [client[0].apply_sync(ipp.bind_kernel) for _ in range(2)]
    assert paths[0] == paths[1]
    assert os.stat(paths[0]).st_mode & 0o077 == 0


def test_it_ends_with_the_engine(new_cluster: NewCluster) -> None:
    cluster, client = new_cluster(2)
    path = client[0].apply_sync(ipp.bind_kernel, connection_file="mine.json")
    assert Path(path) == Path(cluster.profile_dir, "security", "mine.json")
    front_end = connect(path)
    front_end.shutdown()
    wait_until(lambda: client.ids == [1], "the engine to end")
    wait_until(lambda: not Path(path).exists(), "the file to go")
    front_end.stop_channels()
    path = client[1].apply_sync(ipp.bind_kernel, transport="ipc", ip="k")
    front_end = connect(path)
    assert run(front_end, "6 * 7")[1] == "42"
    front_end.stop_channels()
    cluster.stop_engines_sync()
    assert not Path(path).exists()


@pytest.mark.parametrize(
    ("options", "error", "said"),
    [
        ({"port": 5}, "TypeError", "takes shell_port, .* not port"),
        ({"hb_port": "5"}, "ValueError", "hb_port must be a port number"),
        ({"iopub_port": 70_000}, "ValueError", "iopub_port must be a port number"),
        ({"transport": "udp"}, "ValueError", "'tcp' or 'ipc', not 'udp'"),
        ({"ip": "192.0.2.1"}, "OSError", "cannot listen on tcp://192.0.2.1"),
    ],
)
def test_wrong_options_are_told(
    client: ipp.Client, options: dict[str, Any], error: str, said: str
) -> None:
    with pytest.raises(ipp.RemoteError, match=said) as info:
        client[1].apply_sync(ipp.bind_kernel, **options)
    assert info.value.ename == error


@pytest.mark.parametrize("transport", ["tcp", "ipc"])
def test_a_call_that_failed_leaves_nothing(
    new_cluster: NewCluster, tmp_path: Path, transport: str
) -> None:
    def port() -> int:
        with socket.create_server(("127.0.0.1", 0)) as server:
            number: int = server.getsockname()[1]
            return number

    _, client = new_cluster(1)
    options: dict[str, Any] = {"transport": transport, "iopub_port": port()}
    if transport == "ipc":
        options["ip"] = "k"  # short: there is a limit to the length of the path
    nowhere = str(tmp_path / "no" / "folder" / "k.json")
    with pytest.raises(ipp.RemoteError, match="FileNotFoundError"):
        client[0].apply_async(ipp.bind_kernel, connection_file=nowhere, **options).get(20)
    # at the same port: it is free again
    front_end = connect(client[0].apply_async(ipp.bind_kernel, **options).get(20))
    assert run(front_end, "6 * 7") == (ANY, "42")
    front_end.control_channel.send(front_end.session.msg("kernel_info_request", {}))
    assert front_end.get_control_msg(timeout=20)["content"]["status"] == "ok"
    front_end.stop_channels()
    # the engine's own channels are as they were
    client.clear(targets=0, block=False).get(20)
    assert client[0].execute("print('x')", block=False).get(20).stdout == "x\n"


def test_it_is_for_engines() -> None:
    with pytest.raises(RuntimeError, match="bind_kernel must be called from an IPEngine instance"):
        ipp.bind_kernel()
