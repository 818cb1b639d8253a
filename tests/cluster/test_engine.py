"""An engine is an IPython kernel, and survives what users do to it."""

from __future__ import annotations

import sys
import threading
from pathlib import Path

import pytest

import ipyparallel as ipp
from tests.support.waiting import wait_for_file, wait_for_queue


def test_the_namespace_stays(client: ipp.Client) -> None:
    client[:].execute("import math\ncounter = 0", block=True)
    for _ in range(3):
        client[:].execute("counter += 1", block=True)
    assert client[:]["counter"] == [3, 3]
    assert client[:]["math.pi > 3"] == [True, True]


def test_magics_work(client: ipp.Client) -> None:
    result = client[0].execute("%precision 2\n3.14159", silent=False, block=True)
    assert result.get().data["text/plain"] == "3.14"
    result = client[0].execute("files = !echo one two", block=True)
    assert client[0]["list(files)"] == ["one two"]


def test_top_level_await_works(client: ipp.Client) -> None:
    code = "import asyncio\nawaited = await asyncio.sleep(0.01, 'slept')"
    client[0].execute(code, block=True)
    assert client[0]["awaited"] == "slept"


def test_requests_wait_while_one_is_awaited(client: ipp.Client, tmp_path: Path) -> None:
    client[0].execute("import asyncio, os\norder = []", block=True)
    go = tmp_path / "go"
    first = client[0].execute(
        f"while not os.path.exists({str(go)!r}): await asyncio.sleep(0.01)\norder.append(1)"
    )
    second = client[0].execute("order.append(2)")
    third = client[0].apply_async(abs, 1)
    wait_for_queue(client, 3)
    go.touch()
    client.wait([first, second, third], timeout=20)
    assert client[0]["order"] == [1, 2]


@pytest.mark.parametrize("code", ["import sys; sys.exit(3)", "raise SystemExit"])
def test_exit_does_not_end_the_engine(client: ipp.Client, code: str) -> None:
    pid = client[0].apply_sync(__import__("os").getpid)
    client[0].execute(code).wait(20)
    assert client[0].apply_sync(__import__("os").getpid) == pid
    with pytest.raises(ipp.RemoteError) as info:
        client[0].apply_sync(sys.exit, 3)
    assert info.value.ename == "SystemExit"
    assert client[0].apply_sync(__import__("os").getpid) == pid


def test_errors_in_code_have_a_traceback(client: ipp.Client) -> None:
    with pytest.raises(ipp.RemoteError) as info:
        client[0].execute("def broken():\n    return 1 / 0\nbroken()", block=True)
    assert info.value.ename == "ZeroDivisionError"
    assert info.value.engine_info["engine_id"] == 0
    assert info.value.engine_info["method"] == "execute"
    assert "broken" in info.value.traceback
    with pytest.raises(ipp.RemoteError) as info:
        client[0].execute("this is no python", block=True)
    assert info.value.ename == "SyntaxError"


def test_a_failed_execution_aborts_those_behind_it(client: ipp.Client, tmp_path: Path) -> None:
    failing = client[0].execute(wait_for_file(tmp_path / "go") + "1/0", silent=False)
    behind = client[0].execute("aborted = False", silent=False)
    call = client[0].apply_async(abs, -5)
    wait_for_queue(client, 3)
    (tmp_path / "go").touch()
    with pytest.raises(ipp.RemoteError, match="division by zero"):
        failing.get(20)
    with pytest.raises(ipp.TaskAborted):
        behind.get(20)
    assert call.get(20) == 5
    assert client[0].execute("again = True", block=True).successful()


def test_what_is_sent_after_a_failure_is_told_is_not_behind_it(client: ipp.Client) -> None:
    for _ in range(200):
        with pytest.raises(ipp.RemoteError):
            client[0].execute("1/0", silent=False, block=True)
        client[0].execute("after = True", silent=False, block=True)


def test_an_event_loop_may_be_asked_for(client: ipp.Client) -> None:
    client[0].execute("%gui asyncio", block=True)


def test_the_engine_knows_it_is_an_engine(client: ipp.Client) -> None:
    code = "ip = get_ipython(); engine_id = ip.kernel.engine_id; name = __name__"
    client[:].execute(code, block=True)
    assert client[:]["engine_id"] == client.ids
    assert client[0]["name"] == "__main__"


def test_rich_output_is_captured(client: ipp.Client) -> None:
    code = "from IPython.display import HTML, display; display(HTML('<b>x</b>'))"
    result = client[0].execute(code, block=True)
    assert result.outputs[0]["data"]["text/html"] == "<b>x</b>"


def test_subprocess_output_by_system_is_captured(client: ipp.Client) -> None:
    result = client[0].execute("!echo from the shell", silent=False, block=True)
    assert "from the shell" in result.stdout


def test_engines_draw_different_random_numbers(client: ipp.Client) -> None:
    client[:].execute("import random, numpy\nr = random.random(), numpy.random.rand()", block=True)
    first, second = client[:]["r"]
    assert first[0] != second[0]
    assert first[1] != second[1]


def test_an_engine_may_start_threads_and_processes(client: ipp.Client) -> None:
    code = """
import subprocess, sys, threading
out = subprocess.run([sys.executable, "-c", "print(5)"], capture_output=True, text=True).stdout
box = []
t = threading.Thread(target=lambda: box.append(1)); t.start(); t.join()
"""
    client[0].execute(code, block=True)
    assert client[0]["(out, box)"] == ("5\n", [1])
    assert threading.active_count() < 20


def test_a_storm_of_interrupts_ends_tasks_but_no_engine_and_loses_no_reply(
    client: ipp.Client,
) -> None:
    import os
    import signal

    view = client[0]
    pid = view.apply_sync(os.getpid)
    stop = threading.Event()

    def storm() -> None:
        while not stop.wait(0.003):
            os.kill(pid, signal.SIGINT)

    thread = threading.Thread(target=storm)
    thread.start()
    try:
        calls = [view.apply_async(sum, range(100_000)) for _ in range(150)]
        codes = [view.execute(f"sum(range({i}))", silent=False) for i in range(50)]
        assert client.wait([*calls, *codes], timeout=60)
    finally:
        stop.set()
        thread.join()
    outcomes = {type(call.exception()) for call in calls}
    assert outcomes <= {type(None), ipp.RemoteError}
    assert view.apply_sync(os.getpid) == pid


def test_abort_without_tasks_of_ones_own_aborts_nobody(client: ipp.Client, tmp_path: Path) -> None:
    running = client[0].execute(wait_for_file(tmp_path / "go"))
    waiting = client[0].execute("kept = 1")
    wait_for_queue(client, 2)
    cluster = client.cluster
    with ipp.Client(profile_dir=cluster.profile_dir, cluster_id=cluster.cluster_id) as other:
        other.abort(block=True)
    (tmp_path / "go").touch()
    assert client.wait([running, waiting], timeout=20)
    assert waiting.successful()


def test_output_that_cannot_be_sent_is_not_waited_for(client: ipp.Client) -> None:
    code = "get_ipython().display_pub.publish({'text/plain': object()})"
    result = client[0].execute(code)
    result.wait(20)
    assert result.wait_for_output(20)


@pytest.mark.parametrize(
    ("retry_on", "retryable"),
    [(["builtins.ArithmeticError"], True), (["builtins.KeyError"], False), ([], False)],
)
def test_a_reply_says_whether_the_error_is_worth_a_retry(
    client: ipp.Client, retry_on: list[str], retryable: bool
) -> None:
    messenger = client._messenger
    content, buffers = messenger.pack(lambda: 1 / 0, (), {})
    uuid = messenger.engines.uuid(0)

    def submit(metadata):
        task = messenger.submit("mux", "apply_request", content, buffers, metadata, uuid)
        assert isinstance(task.exception(20), ZeroDivisionError | ipp.RemoteError)
        return task.reply_metadata.retryable

    assert submit({"retry_on": retry_on}) is retryable
    assert not isinstance(submit({}), bool)
