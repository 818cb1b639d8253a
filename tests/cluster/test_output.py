"""Output of engines: whose it is, how much of it there is, and what it survives."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable, Iterator

import pytest
import zmq
from traitlets.config import Config

import ipyparallel as ipp

NewCluster = Callable[..., tuple[ipp.Cluster, ipp.Client]]


class Listener:
    """Hears all output, also what comes when its task has ended."""

    def __init__(self, client: ipp.Client) -> None:
        from ipyparallel.protocol.connection import ClientInfo, client_file, read_info
        from ipyparallel.protocol.session import Session

        cluster = client.cluster
        info = read_info(client_file(cluster.profile_dir, cluster.cluster_id), ClientInfo)
        self._session = Session(info.key.encode())
        self._context = zmq.Context()
        self._socket = self._context.socket(zmq.SUB)
        self._socket.subscribe(b"engine")
        self._socket.connect(info.url(info.iopub))
        # until it hears something
        while not self._socket.poll(20):
            client[0].execute("print()", block=True)

    def read_until(self, end: str) -> list[tuple[str, str, str]]:
        """Message id of the task, kind, text; up to the one whose text holds `end`."""
        found = []
        while not found or end not in found[-1][2]:
            assert self._socket.poll(20_000), found
            message = self._session.parse(self._socket.recv_multipart())
            content = message.content()
            text = content.get("text") or content.get("data", {}).get("text/html", "")
            if text:
                found.append((message.parent.msg_id, message.header.msg_type, text))
        return found

    def close(self) -> None:
        self._context.destroy(linger=0)


@pytest.fixture
def listener(client: ipp.Client) -> Iterator[Listener]:
    listener = Listener(client)
    yield listener
    listener.close()


def work_on(go_on: str) -> None:
    """Start a thread that goes on when the name `go_on` is set."""
    from IPython.display import HTML, display

    namespace = sys.modules["__main__"].__dict__

    def work() -> None:
        print("thread works")
        while go_on not in namespace:
            time.sleep(0.01)
        print("thread goes on")
        display(HTML("<b>thread</b>"))
        print("thread ends")

    threading.Thread(target=work).start()


THREAD = """
import threading, time
def work():
    from IPython.display import HTML, display
    while "go_on_2" not in globals():
        time.sleep(0.01)
    print("thread goes on")
    display(HTML("<b>thread</b>"))
    print("thread ends")
threading.Thread(target=work).start()
"""

ASYNCIO = """
import asyncio
async def work():
    while "go_on_3" not in globals():
        await asyncio.sleep(0.01)
    print("thread goes on")
    await asyncio.to_thread(print, "thread ends")
background = asyncio.create_task(work())
"""


@pytest.mark.parametrize("way", ["apply", "execute", "asyncio"])
def test_output_of_the_background_belongs_to_the_task_that_began_it(
    client: ipp.Client, listener: Listener, way: str
) -> None:
    view = client[0]
    if way == "apply":
        name, task = "go_on_1", view.apply_async(work_on, "go_on_1")
    elif way == "execute":
        name, task = "go_on_2", view.execute(THREAD)
    else:
        name, task = "go_on_3", view.execute(ASYNCIO)
    task.get(20)
    other = view.execute(f"{name} = 1; print('other')")
    other.get(20)
    assert other.wait_for_output(20)
    assert other.stdout == "other\n"
    last = view.execute("background_ended = 1; print('last')")
    last.get(20)
    said = listener.read_until("thread ends")
    late = "".join(text for msg_id, _, text in said if msg_id == task.msg_ids[0])
    assert "thread goes on\n" in late
    assert late.endswith("thread ends\n")
    assert ("<b>thread</b>" in late) == (way != "asyncio")
    for result in (other, last):
        texts = [text for msg_id, _, text in said if msg_id == result.msg_ids[0]]
        assert not [text for text in texts if "thread" in text]


def pool_of_another_task(first: bool) -> None:
    from concurrent.futures import ThreadPoolExecutor

    namespace = sys.modules["__main__"].__dict__
    if first:
        namespace["pool"] = ThreadPoolExecutor(1)
    namespace["pool"].submit(print, "first" if first else "second").result()


def test_output_of_a_pool_belongs_to_who_uses_it(client: ipp.Client) -> None:
    results = [client[0].apply_async(pool_of_another_task, first) for first in (True, False)]
    for result, said in zip(results, ("first\n", "second\n"), strict=True):
        result.get(20)
        assert result.wait_for_output(20)
        assert result.stdout == said


def odd_output() -> str:
    print("a\ud800b", "é", "\U0001f600")
    sys.stdout.write("partial\rline")
    sys.stderr.write("to the end\r\n")
    try:
        sys.stdout.write(b"bytes")  # type: ignore[arg-type]
    except TypeError as e:
        return str(e)
    return ""


def test_odd_output(client: ipp.Client) -> None:
    result = client[0].apply_async(odd_output)
    assert "must be str" in result.get(20)
    assert result.wait_for_output(20)
    assert result.stdout == "a\\ud800b é \U0001f600\nline"
    assert result.stderr == "to the end\r\n"


def raise_odd(way: str) -> None:
    class Broken(Exception):
        def __str__(self) -> str:
            raise KeyError("no text")

    raise Broken if way == "broken" else ValueError("half a pair: \ud800")


@pytest.mark.parametrize(("way", "ename"), [("broken", "Broken"), ("text", "ValueError")])
def test_odd_errors_are_told(client: ipp.Client, way: str, ename: str) -> None:
    with pytest.raises(ipp.RemoteError) as info:
        client[0].apply_async(raise_odd, way).get(20)
    assert info.value.ename == ename
    assert "raise_odd" in info.value.traceback
    code = "raise ValueError('half a pair: \\ud800')"
    with pytest.raises(ipp.RemoteError, match="half a pair"):
        client[0].execute(code).get(20)
    code = "from IPython.display import *; display(HTML('<b>\\ud800</b>'))"
    result = client[0].execute(code)
    result.get(20)
    assert result.wait_for_output(20)
    assert result.outputs[0]["data"]["text/html"] == "<b>?</b>"


@pytest.mark.parametrize("code", ["sys.stdout.close()", "sys.stdout = None", "close(sys)"])
def test_a_task_cannot_take_the_output_from_others(client: ipp.Client, code: str) -> None:
    def spoil(code: str) -> None:
        import io
        import sys

        def close(sys: object) -> None:
            sys.stdout = io.StringIO()  # type: ignore[attr-defined]
            sys.stdout.close()  # type: ignore[attr-defined]

        exec(code, {"sys": sys, "close": close})

    client[0].apply_async(spoil, code).get(20)
    for result in (client[0].apply_async(print, "on"), client[0].execute("print('on')")):
        result.get(20)
        assert result.wait_for_output(20)
        assert result.stdout == "on\n"


def fork(way: str) -> int:
    pid = os.fork()
    if pid:
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    print("child")
    if way == "exit":
        sys.exit(3)
    if way == "raise":
        raise ValueError("in the child")
    return -1


@pytest.mark.parametrize(("way", "code"), [("return", 0), ("exit", 3), ("raise", 1)])
def test_a_forked_child_that_comes_back_does_not_become_an_engine(
    client: ipp.Client, way: str, code: int
) -> None:
    assert client[0].apply_async(fork, way).get(20) == code
    cell = f"import os\nforked = os.fork()\nif forked == 0 and {way!r} == 'raise':\n    1/0\n"
    client[0].execute(cell + "if forked: os.waitpid(forked, 0)").get(20)
    result = client[0].apply_async(os.getpid)
    assert result.get(20) == result.get()
    assert client.queue_status(0)["queue"] == 0


def processes() -> list[object]:
    import multiprocessing

    def work() -> None:
        print("process")

    context = multiprocessing.get_context("fork")
    with context.Pool(2) as pool:
        results: list[object] = list(pool.map(abs, [-1, 2]))
    for target, args in ((work, ()), (time.sleep, (60,))):
        process = context.Process(target=target, args=args)
        process.start()
        if args:
            process.terminate()
        process.join()
        results.append(process.exitcode)
    return results


def test_multiprocessing(client: ipp.Client, listener: Listener) -> None:
    result = client[0].apply_async(processes)
    assert result.get(20) == [1, 2, 0, -15]
    said = listener.read_until("process")
    assert said[-1][0] == result.msg_ids[0]
    assert client[0].apply_async(abs, -1).get(20) == 1


def print_much(seconds: float) -> int:
    end, lines = time.monotonic() + seconds, 0
    while time.monotonic() < end:
        print("x" * 1000)
        lines += 1
    return lines


def test_a_task_that_prints_for_ever_is_cut(new_cluster: NewCluster) -> None:
    config = Config()
    config.EngineLauncher.engine_args = ["--IPEngine.output_limit=100000"]
    _, client = new_cluster(1, config=config)
    result = client[0].apply_async(print_much, 0.5)
    assert result.get(20) > 1000
    assert result.wait_for_output(20)
    assert len(result.stdout) < 101_000
    assert result.stdout.endswith("cut after 97.7 KiB (IPEngine.output_limit) ...\n")
    shown = client[0].execute(
        "from IPython.display import *\ndisplay(HTML('x' * 100001)); display(HTML('small'))"
    )
    shown.get(20)
    assert shown.wait_for_output(20)
    assert "was left out" in shown.outputs[0]["data"]["text/plain"]
    assert shown.outputs[1]["data"]["text/html"] == "small"
    # the next one has a limit of its own
    result = client[0].apply_async(print, "next")
    result.get(20)
    assert result.wait_for_output(20)
    assert result.stdout == "next\n"


def test_errors_are_published_and_replied(client: ipp.Client) -> None:
    def divide() -> float:
        return 1 / 0

    for result in (client[0].apply_async(divide), client[0].execute("1/0", silent=False)):
        published = []
        with pytest.raises(ipp.RemoteError):
            result.get(20)
        assert result.wait_for_output(20)
        published.append(result.metadata["error"] or result.metadata.error)
        assert published[0].ename == "ZeroDivisionError"
        assert "ZeroDivisionError" in published[0].traceback
