"""A tap that is opened while output comes: nothing is lost, nothing is passed on twice."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from ipyparallel.client.display.tap import Tap
from ipyparallel.client.messaging.recording import Recorder
from ipyparallel.client.messaging.tasks import MessageFuture
from ipyparallel.protocol.session import Message, Session

SESSION = Session(b"")


def message(kind: str, content: dict[str, Any]) -> Message:
    return SESSION.parse(list(SESSION.frame(SESSION.header(kind), content)))


class Task(MessageFuture):
    """A task that is told what it shows, as the dispatcher would."""

    def __init__(self) -> None:
        super().__init__(SESSION.header("execute_request"))
        self.engine_id = 3
        self._recorder = Recorder()

    def record(self, kind: str, content: dict[str, Any]) -> None:
        self._recorder.record(self, message(kind, content))

    def announce(self, kind: str, content: dict[str, Any]) -> None:
        if self.iopub_callbacks:
            as_dict = message(kind, content).as_dict()
            for callback in list(self.iopub_callbacks):
                callback(as_dict)

    def shows(self, kind: str, content: dict[str, Any]) -> None:
        self.record(kind, content)
        self.announce(kind, content)

    def writes(self, text: str, name: str = "stdout") -> None:
        self.shows("stream", {"name": name, "text": text})


@pytest.fixture
def task() -> Task:
    return Task()


@pytest.fixture
def passed_on() -> list[tuple[str, Any]]:
    return []


@pytest.fixture
def tap(task: Task, passed_on: list[tuple[str, Any]]) -> Tap:
    return Tap(task, lambda kind, what: passed_on.append((kind, what)))


def test_what_was_shown_before_is_replayed(task: Task, tap: Tap, passed_on: list[Any]) -> None:
    task.writes("a\n")
    task.writes("b\n", "stderr")
    task.shows("display_data", {"data": {"text/plain": "1"}})
    task.shows("execute_result", {"data": {"text/plain": "2"}, "execution_count": 1})
    tap.open()
    assert passed_on == [
        ("stdout", "a\n"),
        ("stderr", "b\n"),
        ("display", {"data": {"text/plain": "1"}}),
        ("result", {"data": {"text/plain": "2"}, "execution_count": 1}),
    ]


def test_what_comes_is_passed_on(task: Task, tap: Tap, passed_on: list[Any]) -> None:
    tap.open()
    task.writes("a")
    task.writes("b")
    assert passed_on == [("stdout", "a"), ("stdout", "b")]


MESSAGES = [
    ("stream", {"name": "stdout", "text": "x"}, "stdout"),
    ("display_data", {"data": {"text/plain": "1"}}, "display"),
    ("execute_result", {"data": {"text/plain": "2"}, "execution_count": 1}, "result"),
]


@pytest.mark.parametrize(("kind", "content", "passed_as"), MESSAGES)
def test_recorded_before_and_announced_after(
    task: Task, tap: Tap, passed_on: list[Any], kind: str, content: Any, passed_as: str
) -> None:
    """It is in the replay, and its announcement is the first that the tap hears."""
    task.writes("before")
    task.record(kind, content)
    tap.open()
    task.announce(kind, content)
    task.writes("after")
    if kind == "stream":
        assert passed_on == [("stdout", "beforex"), ("stdout", "after")]
    else:
        assert passed_on == [("stdout", "before"), (passed_as, content), ("stdout", "after")]


@pytest.mark.parametrize(("kind", "content", "passed_as"), MESSAGES)
def test_the_same_again_is_shown_again(
    task: Task, tap: Tap, passed_on: list[Any], kind: str, content: Any, passed_as: str
) -> None:
    task.shows(kind, dict(content))
    tap.open()
    task.shows(kind, dict(content))
    assert [what for what, _ in passed_on] == [passed_as, passed_as]


def displayed(text: str, display_id: str) -> dict[str, Any]:
    return {"data": {"text/plain": text}, "transient": {"display_id": display_id}}


def test_the_last_state_of_what_was_displayed_is_replayed(
    task: Task, tap: Tap, passed_on: list[Any]
) -> None:
    task.shows("display_data", displayed("old", "a"))
    task.shows("display_data", displayed("other", "b"))
    task.record("update_display_data", displayed("new", "a"))
    tap.open()
    task.announce("update_display_data", displayed("new", "a"))
    task.shows("update_display_data", displayed("newer", "a"))
    assert passed_on == [
        ("display", {**displayed("new", "a"), "update": False}),
        ("display", displayed("other", "b")),
        ("update", displayed("newer", "a")),
    ]


def test_an_update_of_what_another_task_displayed(
    task: Task, tap: Tap, passed_on: list[Any]
) -> None:
    task.shows("update_display_data", displayed("old", "elsewhere"))
    task.record("update_display_data", displayed("new", "elsewhere"))
    tap.open()
    task.announce("update_display_data", displayed("new", "elsewhere"))
    task.shows("update_display_data", displayed("newer", "elsewhere"))
    assert passed_on == [
        ("update", {**displayed("new", "elsewhere"), "update": True}),
        ("update", displayed("newer", "elsewhere")),
    ]


def test_errors_say_which_engine_they_are_from(task: Task, tap: Tap, passed_on: list[Any]) -> None:
    tap.open()
    task.shows("error", {"ename": "E", "evalue": "bad", "traceback": ["where"]})
    [(kind, error)] = passed_on
    assert kind == "error"
    assert error.render_traceback() == ["[3:execute]", "where"]


def test_a_closed_tap_hears_nothing(task: Task, tap: Tap, passed_on: list[Any]) -> None:
    tap.open()
    tap.close()
    task.writes("a")
    tap.close()  # harmless
    assert passed_on == []


def test_opened_while_another_thread_records(task: Task) -> None:
    """Whenever it is opened, the parts make the whole."""
    whole = "".join(f"{i}\n" for i in range(3_000))
    opened = threading.Event()

    def write() -> None:
        for i in range(3_000):
            task.writes(f"{i}\n")
            if i == 100:
                opened.set()

    assert task.metadata["stdout"] == ""
    writer = threading.Thread(target=write)
    writer.start()
    opened.wait()
    taps, texts = [], []
    while writer.is_alive():
        text: list[str] = []
        taps.append(Tap(task, lambda kind, what, text=text: text.append(what)))  # type: ignore[misc]
        taps[-1].open()
        texts.append(text)
        if len(taps) >= 50:
            break
    writer.join()
    assert taps
    assert all("".join(text) == whole for text in texts)


def test_what_came_before_is_passed_on_in_its_order(
    task: Task, tap: Tap, passed_on: list[Any]
) -> None:
    task.writes("first\n")
    task.shows("display_data", displayed("one", "1"))
    task.writes("second\n")
    task.writes("oops\n", "stderr")
    task.shows("display_data", displayed("two", "2"))
    task.shows("display_data", displayed("three", "3"))
    task.writes("last")
    tap.open()
    assert passed_on == [
        ("stdout", "first\n"),
        ("display", displayed("one", "1")),
        ("stdout", "second\n"),
        ("stderr", "oops\n"),
        ("display", displayed("two", "2")),
        ("display", displayed("three", "3")),
        ("stdout", "last"),
    ]
