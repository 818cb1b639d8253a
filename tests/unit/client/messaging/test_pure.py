"""Which tasks are given up when an engine goes, where nobody knows which it had."""

import pytest

from ipyparallel.client.messaging.pure import lost_with, maybe_lost
from ipyparallel.client.messaging.tasks import MessageFuture, TaskTable
from ipyparallel.error import EngineError
from ipyparallel.protocol.messages import EngineNotice, Header

GONE = EngineNotice(3, "uuid-3", reason="killed by SIGKILL")


def task(msg_id, msg_type="apply_request", engine_uuid="", engine_id=None):
    made = MessageFuture(Header(msg_id, msg_type), engine_uuid=engine_uuid)
    made.engine_id = engine_id
    return made


def test_balanced_tasks_are_lost_unless_their_engine_is_known_to_be_another():
    table = TaskTable()
    for one in (
        task("unknown"),
        task("known", engine_id=3),
        task("elsewhere", engine_id=2),
        task("direct", engine_uuid="uuid-2", engine_id=2),
        task("direct to it", engine_uuid="uuid-3", engine_id=3),
        task("query", msg_type="queue_request"),
    ):
        table.add(one)
    assert [one.msg_id for one in maybe_lost(table, GONE.id)] == ["unknown", "known"]


def test_tasks_that_have_ended_are_not_lost():
    table, ended = TaskTable(), task("ended")
    table.add(ended)
    table.end("ended")
    assert maybe_lost(table, GONE.id) == []


@pytest.mark.parametrize(
    ("engine_id", "text"),
    [
        (3, "Engine 3 died while running task 'x': killed by SIGKILL"),
        (
            None,
            "task x may have been on engine 3, which is gone (killed by SIGKILL): the pure"
            " scheduler does not know which tasks an engine has; use another scheme to keep those"
            " of other engines",
        ),
    ],
)
def test_the_error_says_what_is_known(engine_id, text):
    error = lost_with(task("x", engine_id=engine_id), GONE)
    assert type(error) is EngineError
    assert str(error) == text


def test_the_error_of_an_engine_that_went_for_no_known_reason():
    error = lost_with(task("x"), EngineNotice(0, "uuid"))
    assert "on engine 0, which is gone: the pure" in str(error)
