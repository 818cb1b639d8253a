"""What scripts without IPython see of outputs, live and grouped."""

from __future__ import annotations

import signal
import sys
import threading
import time
from types import FrameType
from typing import Any

import pytest

from ipyparallel.client.display import LiveOutput, display_outputs, live, waiting
from ipyparallel.client.display.waiting import missing_output, wait_for_output
from ipyparallel.client.messaging.execute_reply import ExecuteReply
from ipyparallel.client.messaging.recording import StreamText
from ipyparallel.client.messaging.tasks import MessageFuture
from ipyparallel.error import RemoteError
from ipyparallel.protocol.session import Session
from ipyparallel.serialize.exceptions import read_exception

SESSION = Session(b"")


def task_on(engine: int, *, done: bool = True, **shown: Any) -> MessageFuture:
    task = MessageFuture(SESSION.header("execute_request"))
    task.engine_id = engine
    for name in ("stdout", "stderr"):
        if text := shown.pop(name, ""):
            write(task, text, name)
    task.metadata.update(shown)
    if done:
        task.output_expected = 0
        task.set_result(None)
    return task


def result(text: str, count: int = 1) -> dict[str, Any]:
    return {"data": {"text/plain": text}, "metadata": {}, "execution_count": count}


def displayed(text: str) -> dict[str, Any]:
    return {"data": {"text/plain": text, "text/html": f"<b>{text}</b>"}, "metadata": {}}


@pytest.fixture
def two() -> list[MessageFuture]:
    return [
        task_on(
            engine,
            stdout=f"out{engine}\n",
            stderr=f"err{engine}\n",
            outputs=[displayed("a"), displayed("b")],
            execute_result=result(f"{engine}"),
        )
        for engine in (0, 1)
    ]


def test_grouped_by_type(two: list[MessageFuture], capsys: pytest.CaptureFixture[str]) -> None:
    display_outputs(two)
    out, err = capsys.readouterr()
    assert out == (
        "[stdout:0] \nout0\n[stdout:1] \nout1\n"
        "[output:0]\na\nb\n[output:1]\na\nb\nOut[0:1]: 0\nOut[1:1]: 1\n"
    )
    assert err == "[stderr:0] \nerr0\n[stderr:1] \nerr1\n"


def test_grouped_by_engine(two: list[MessageFuture], capsys: pytest.CaptureFixture[str]) -> None:
    display_outputs(two, groupby="engine")
    assert capsys.readouterr().out == (
        "[stdout:0] \nout0\n[output:0]\na\nb\nOut[0:1]: 0\n"
        "[stdout:1] \nout1\n[output:1]\na\nb\nOut[1:1]: 1\n"
    )


def test_in_order(two: list[MessageFuture], capsys: pytest.CaptureFixture[str]) -> None:
    two[1].metadata["outputs"].append(displayed("c"))
    display_outputs(two, groupby="order")
    assert capsys.readouterr().out == (
        "[stdout:0] \nout0\n[stdout:1] \nout1\n"
        "[output:0]\na\n[output:1]\na\n[output:0]\nb\n[output:1]\nb\n[output:1]\nc\n"
        "Out[0:1]: 0\nOut[1:1]: 1\n"
    )


@pytest.mark.parametrize("groupby", ["type", "order"])
def test_results_only(
    two: list[MessageFuture], groupby: str, capsys: pytest.CaptureFixture[str]
) -> None:
    display_outputs(two, groupby=groupby, result_only=True)
    assert capsys.readouterr().out == "Out[0:1]: 0\nOut[1:1]: 1\n"


def test_one_alone_has_no_prefix(
    two: list[MessageFuture], capsys: pytest.CaptureFixture[str]
) -> None:
    display_outputs(two[:1], prefixed=False)
    out, err = capsys.readouterr()
    assert (out, err) == ("out0\na\nb\nOut[0:1]: 0\n", "err0\n")


def test_nothing_shows_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    display_outputs([task_on(0), task_on(1)], groupby="engine")
    assert capsys.readouterr() == ("", "")


def test_a_wrong_grouping_is_named() -> None:
    with pytest.raises(ValueError, match="not 'kind'"):
        display_outputs([], groupby="kind")


def test_what_has_not_ended_is_not_shown() -> None:
    with pytest.raises(TimeoutError, match="not ready"):
        display_outputs([task_on(0, done=False)])


def test_output_that_never_comes_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting, "GRACE", 0.01)
    assert not wait_for_output([task_on(0), awaited(1)])


def test_output_is_not_waited_for_after_the_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting, "GRACE", 60)
    assert not wait_for_output([awaited(1)], deadline=time.monotonic() + 0.01)
    assert wait_for_output([task_on(0)], deadline=0)
    assert wait_for_output([task_on(0, done=False)])


def test_it_is_waited_for_again_if_some_has_come() -> None:
    first, second = tasks = awaited(2), awaited(3)
    waits = missing_output(tasks)
    assert next(waits) == [first.output, second.output]
    arrive(first)
    assert next(waits) == [first.output, second.output]
    arrive(first)
    assert next(waits) == [second.output]
    assert list(waits) == []


def awaited(number: int) -> MessageFuture:
    """A task that has ended, so many output messages of which have not come."""
    task = task_on(0, done=False)
    task.output_expected = number
    task.set_result(None)
    return task


def arrive(task: MessageFuture) -> None:
    task.output_seen += 1
    task.check_output()


def test_output_is_waited_for_until_it_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting, "GRACE", 60)
    timer = threading.Timer(0.05, arrive, [task := awaited(1)])
    timer.start()
    assert wait_for_output([task])
    timer.join()


# ---- live


def announce(task: MessageFuture, kind: str, content: Any) -> None:
    for callback in task.iopub_callbacks:
        callback({"msg_type": kind, "content": content, "metadata": {}})


def fail(task: MessageFuture, *traceback: str) -> None:
    content = {"ename": "E", "evalue": "v", "traceback": traceback}
    task.metadata["error"] = read_exception(content)
    announce(task, "error", content)


def write(task: MessageFuture, text: str, name: str = "stdout") -> None:
    task.streams.setdefault(name, StreamText(10**6)).write(text)
    announce(task, "stream", {"name": name, "text": text})


def test_live(capsys: pytest.CaptureFixture[str]) -> None:
    first, second = tasks = [task_on(0, done=False, stdout="before\n"), task_on(1, done=False)]
    with LiveOutput(tasks):
        write(first, "a")
        write(second, "b")
        write(first, "\n")
        second.metadata["execute_result"] = result("5", 7)
        announce(second, "execute_result", result("5", 7))
        fail(first, "line", "E: v")
    out, err = capsys.readouterr()
    assert out == "[stdout:0] \nbefore\na\n[stdout:1] \nb\nOut[1:7]: 5\n"
    assert err == "[0:execute]\nline\nE: v\n"


def test_many_errors_are_short(capsys: pytest.CaptureFixture[str]) -> None:
    tasks = [task_on(i, done=False) for i in range(6)]
    with LiveOutput(tasks) as live:
        for task in tasks:
            fail(task, "where", "E: v")
    err = capsys.readouterr().err
    assert err.count("where") == 4
    assert err.endswith("[4:execute] E: v\n[5:execute] E: v\n")
    assert live.failed == set(tasks)


def test_an_error_is_shown_once(capsys: pytest.CaptureFixture[str]) -> None:
    task = task_on(0, done=False)
    task.metadata["error"] = RemoteError("E", "v", "E: v", {"engine_id": 0, "method": "execute"})
    with LiveOutput([task]) as live:
        fail(task, "E: v")
    task.set_exception(task.metadata["error"])
    live.show_failure(task)
    assert capsys.readouterr().err == "[0:execute]\nE: v\n"


def test_what_comes_after_the_context_is_not_shown(capsys: pytest.CaptureFixture[str]) -> None:
    task = task_on(0, done=False)
    with LiveOutput([task]):
        pass
    write(task, "late")
    assert capsys.readouterr().out == ""
    assert task.iopub_callbacks == []


def test_what_cannot_be_shown_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    class Broken:
        def write(self, text: str) -> int:
            raise BrokenPipeError

    monkeypatch.setattr("sys.stdout", Broken())
    task = task_on(0, done=False, stdout="text")
    with pytest.raises(BrokenPipeError), LiveOutput([task]):
        pass


def interrupted_at(step: int, task: MessageFuture) -> bool:
    """Show a task's output; Ctrl-C before the line of the context that is run as the n-th."""
    left, before = step, sys.gettrace()

    def trace(frame: FrameType, event: str, _: Any) -> Any:
        nonlocal left
        if frame.f_code.co_filename != live.__file__:
            return None
        if event == "line":
            left -= 1
            if left == 0:
                signal.raise_signal(signal.SIGINT)
        return trace

    sys.settrace(trace)
    try:
        with LiveOutput([task]):
            pass
    except KeyboardInterrupt:
        return True
    finally:
        sys.settrace(before)
    return False


def test_ctrl_c_at_any_moment_leaves_nothing_behind() -> None:
    steps = 0
    while interrupted_at(steps + 1, task := task_on(0)):
        steps += 1
        for thread in threading.enumerate():
            if thread.name == "ipyparallel-output":
                thread.join(10)
                assert not thread.is_alive(), steps
        assert task.iopub_callbacks == [], steps
    assert steps > 20


# ---- ExecuteReply


def test_reply() -> None:
    task = task_on(3, execute_result=result("[1, 2]", 5))
    reply = ExecuteReply(task.msg_id, {"execution_count": 5}, task.metadata)
    assert repr(reply) == "<ExecuteReply[5]: [1, 2]>"
    assert reply.as_text() == "Out[3:5]: [1, 2]"
    assert reply.as_text(color=True) == "\x1b[0;31mOut[3:5]: \x1b[0m[1, 2]"
    assert reply.data == {"text/plain": "[1, 2]"}
    assert reply.engine_id == reply["engine_id"] == 3
    assert (reply.execution_count, reply.msg_id, reply.source) == (5, task.msg_id, None)
    assert "stdout" in dir(reply)
    with pytest.raises(AttributeError, match="nothing"):
        reply.nothing
    with pytest.raises(KeyError):
        reply["nothing"]


def test_long_and_multiline_replies() -> None:
    text = "0123456789\n" * 4
    reply = ExecuteReply(
        "", {"execution_count": 1}, task_on(0, execute_result=result(text)).metadata
    )
    assert repr(reply) == f"<ExecuteReply[1]: {text[:29]}...>"
    assert reply.as_text() == f"Out[0:1]: \n{text}"


def test_a_reply_without_a_result() -> None:
    reply = ExecuteReply("", {"execution_count": 2}, task_on(0).metadata)
    assert (repr(reply), reply.as_text(), reply.data) == ("<ExecuteReply[2]: >", "", {})
    assert reply._repr_html_() is None


def test_rich_replies_keep_their_metadata() -> None:
    content = {
        "data": {"text/plain": "<img>", "image/png": "cG5n"},
        "metadata": {"image/png": {"width": 10}},
        "execution_count": 1,
    }
    reply = ExecuteReply(
        "", {}, task_on(1, execute_result=content, data={"large": object()}).metadata
    )
    assert reply._repr_png_() == ("cG5n", {"width": 10})
    rich, metadata = reply._repr_mimebundle_()
    assert rich == {"image/png": "cG5n"}
    assert metadata["image/png"] == {"width": 10}
    assert metadata["engine_id"] == 1
    assert "data" not in metadata
