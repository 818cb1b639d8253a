"""What the threads of the controller note about tasks."""

from __future__ import annotations

import pytest

from ipyparallel.controller.journal import (
    Ended,
    EngineDied,
    Journal,
    MaybeDied,
    NoJournal,
    Sent,
)

from .task_messages import reply_to, request


def test_events_come_out_as_they_went_in():
    journal = Journal(lambda: None, 1000)
    message, frames = request(b"f")
    msg_id = message.header.msg_id
    journal.submitted("task", message, frames)
    journal.sent(msg_id, "engine")
    journal.ended(msg_id, "engine", reply_to(message, b"r"), delivered=True)
    journal.engine_died(["a"], "engine", 3, "why")
    journal.engine_died([], "engine", 3, "why")
    journal.maybe_died(3, "why")
    submitted, sent, ended, died, maybe = journal.take()
    assert (submitted.msg_id, submitted["queue"]) == (msg_id, "task")
    assert sent == Sent(msg_id, "engine")
    assert isinstance(ended, Ended)
    assert (ended.msg_id, ended.delivered, ended.reply["result_buffers"]) == (msg_id, True, [b"r"])
    assert died == EngineDied(["a"], "engine", 3, "why")
    assert maybe == MaybeDied(3, "why")
    assert list(journal.take()) == []


def test_who_reads_is_woken_once_until_it_has_read():
    calls = []
    journal = Journal(lambda: calls.append(1), 1000)
    journal.sent("a", "e")
    journal.sent("b", "e")
    assert calls == [1]
    list(journal.take())
    journal.sent("c", "e")
    assert calls == [1, 1]


@pytest.mark.parametrize("compact", [True, False])
@pytest.mark.parametrize(
    "buffers", [(b"f" * 1001,), (b"f", b"x" * 1000), (b"f", b"x" * 100_000, b"y" * 100_000)]
)
def test_large_arguments_are_not_kept(compact, buffers):
    journal = Journal(lambda: None, 1000)
    message, frames = request(*buffers, compact=compact)
    journal.submitted("mux", message, frames, "engine")
    (record,) = journal.take()
    assert record["label"] == "mine"
    assert record["content"] == {}
    assert record["buffers"] == []
    assert record.nbytes < 5000


@pytest.mark.parametrize("compact", [True, False])
def test_small_arguments_are_kept(compact):
    journal = Journal(lambda: None, 1000)
    message, frames = request(b"f", b"x" * 999, compact=compact)
    journal.submitted("mux", message, frames, "engine")
    (record,) = journal.take()
    assert record["buffers"] == [b"f", b"x" * 999]


def test_without_records_nothing_is_noted():
    journal = NoJournal()
    message, frames = request(b"f")
    journal.submitted("task", message, frames)
    journal.sent("a", "e")
    journal.ended("a", "e", frames, delivered=True)
    journal.engine_died(["a"], "e", 0, "")
    journal.maybe_died(0, "")
    assert list(journal.take()) == []
