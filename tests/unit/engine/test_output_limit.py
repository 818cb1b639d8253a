"""What is cut, and what is said in its place."""

from __future__ import annotations

import contextvars

import pytest

from ipyparallel.engine import origin
from ipyparallel.engine.output_limit import LimitedText, format_size, limit_display


@pytest.fixture
def task():
    return origin.Origin({"msg_id": "task"})


def test_below_the_limit_nothing_changes(task):
    stream = LimitedText("stdout", 10)
    assert stream.take("12345", task) == "12345"
    assert stream.take("67890", task) == "67890"


def test_above_it_one_line_says_so_and_nothing_follows(task):
    stream = LimitedText("stdout", 8)
    assert stream.take("12345", task) == "12345"
    cut = stream.take("67890", task)
    assert cut.startswith("678\n... stdout of this task was cut after 8 bytes")
    assert "IPEngine.output_limit" in cut
    assert stream.take("more", task) == ""
    assert stream.take("", task) == ""


def test_exactly_at_the_limit_is_said_when_there_is_more(task):
    stream = LimitedText("stdout", 4)
    assert stream.take("1234", task) == "1234"
    assert stream.take("5", task).startswith("\n... stdout")
    assert stream.take("6", task) == ""


def test_streams_and_tasks_have_a_limit_each(task):
    out, err = LimitedText("stdout", 4), LimitedText("stderr", 4)
    out.take("12345", task)
    assert err.take("1234", task) == "1234"
    assert out.take("1234", origin.Origin({"msg_id": "other"})) == "1234"


def test_bytes_are_counted(task):
    stream = LimitedText("stdout", 4)
    assert stream.take("éé", task) == "éé"
    assert "cut" in stream.take("é", task)


def test_without_a_limit_nothing_is_counted(task):
    stream = LimitedText("stdout", 0)
    assert stream.take("x" * 1000, task) == "x" * 1000
    assert task.written == {}


def test_what_cannot_be_encoded_is_escaped(task):
    stream = LimitedText("stdout", 0)
    assert stream.take("a\ud800é\udc80", task) == "a\\ud800é\\udc80"


def shown(data, kind="display_data"):
    return {"msg_type": kind, "content": {"data": data, "metadata": {"image/png": {}}}}


@pytest.fixture
def run():
    return contextvars.copy_context().run


def test_a_display_that_is_too_large_is_replaced(run):
    def check():
        origin.begin({"msg_id": "large"})
        message = shown({"text/html": "x" * 11, "application/json": {"a": 1}})
        assert limit_display(message, 10)
        assert list(message["content"]["data"]) == ["text/plain"]
        assert "left out" in message["content"]["data"]["text/plain"]
        assert message["content"]["metadata"] == {}
        # it does not count
        message = shown({"text/html": "x" * 10})
        assert limit_display(message, 10)
        assert message == shown({"text/html": "x" * 10})

    run(check)


def test_many_displays_end_with_a_line(run):
    def check():
        origin.begin({"msg_id": "many"})
        messages = [shown({"text/html": "x" * 4}, "execute_result") for _ in range(5)]
        assert [limit_display(message, 10) for message in messages] == [True] * 3 + [False] * 2
        assert messages[1] == shown({"text/html": "xxxx"}, "execute_result")
        assert "those that follow" in messages[2]["content"]["data"]["text/plain"]

    run(check)


def test_updates_may_come_any_number_of_times(run):
    def check():
        origin.begin({"msg_id": "updates"})
        for _ in range(5):
            assert limit_display(shown({"text/html": "x" * 9}, "update_display_data"), 10)

    run(check)


def test_other_messages_and_no_limit():
    message = {"msg_type": "comm_msg", "content": {"data": {"x": "y" * 100}}}
    assert limit_display(message, 10)
    assert limit_display(shown({"text/html": "x" * 100}), 0)


@pytest.mark.parametrize(
    ("size", "text"),
    [(5, "5 bytes"), (1 << 10, "1 KiB"), (16 << 20, "16 MiB"), (3 << 29, "1.5 GiB")],
)
def test_sizes(size, text):
    assert format_size(size) == text
