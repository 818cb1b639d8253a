"""A task is a future with metadata and output; the table knows those that have not ended."""

from datetime import UTC, datetime

import pytest

from ipyparallel.client.messaging.tasks import TaskTable

NEW_YEAR = datetime(2026, 1, 1, tzinfo=UTC)


# ---- metadata


def test_metadata_is_there_before_the_reply(tasks):
    task = tasks.make(label="a label", engine_uuid="u1")
    task.engine_id = 1
    assert task.metadata is task.metadata
    assert task.metadata["msg_id"] == task.msg_id == task.header.msg_id
    assert task.metadata["label"] == "a label"
    assert task.metadata["submitted"] == NEW_YEAR
    assert (task.metadata["engine_id"], task.metadata["engine_uuid"]) == (1, "u1")
    assert (task.metadata["status"], task.metadata["completed"]) == (None, None)


def test_a_balanced_task_is_on_no_engine_yet(tasks):
    metadata = tasks.make().metadata
    assert (metadata["engine_id"], metadata["engine_uuid"]) == (None, None)


@pytest.mark.parametrize("looked", [False, True], ids=["asked after", "asked before"])
def test_the_reply_completes_the_metadata(looked, tasks):
    task = tasks.make()
    before = task.metadata if looked else None
    tasks.finish(task, engine_id=3, began=1, ended=2, received=4)
    metadata = task.metadata
    assert before is None or before is metadata
    assert (metadata["engine_id"], metadata["engine_uuid"], metadata["status"]) == (3, "u3", "ok")
    seconds = [
        (metadata[key] - NEW_YEAR).total_seconds() for key in ("started", "completed", "received")
    ]
    assert seconds == [1, 2, 4]
    assert all(metadata[key].tzinfo for key in ("submitted", "started", "completed", "received"))
    assert (metadata["is_broadcast"], metadata["is_coalescing"]) == (False, False)


def test_the_label_of_the_reply_counts_if_it_has_one(tasks):
    task, other = tasks.make(label="ours"), tasks.make(label="ours")
    tasks.finish(task, label="theirs")
    tasks.finish(other)
    assert (task.metadata["label"], other.metadata["label"]) == ("theirs", "ours")


@pytest.mark.parametrize("looked", [False, True], ids=["asked after", "asked before"])
def test_a_task_that_will_have_no_reply_has_failed_at_a_known_time(looked, tasks):
    task = tasks.make()
    if looked:
        assert task.metadata["status"] is None
    task.failed(NEW_YEAR.timestamp() + 3)
    assert task.metadata["status"] == "error"
    assert (task.metadata["received"] - NEW_YEAR).total_seconds() == 3


def test_output_recorded_before_the_reply_stays(tasks):
    task = tasks.make()
    task.metadata["stdout"] += "text"
    tasks.finish(task)
    assert task.metadata["stdout"] == "text"


# ---- waiting


def test_waiting_tells_whether_the_reply_came_in_time(tasks):
    task = tasks.make()
    assert task.wait(0) is False
    tasks.finish(task)
    assert task.wait(0) is True
    assert task.wait() is True


@pytest.mark.parametrize("error", [ValueError("no"), TimeoutError("its own")])
def test_a_failed_task_has_been_waited_for_too(error, tasks):
    task = tasks.make()
    tasks.fail(task, error)
    assert task.wait(0) is True


# ---- output


@pytest.mark.parametrize("looked", [False, True], ids=["asked after", "asked before"])
@pytest.mark.parametrize("count", [0, 2])
def test_output_is_done_when_as_much_has_come_as_was_announced(count, looked, tasks):
    task = tasks.make()
    if looked:
        assert not task.output.done()
    for _ in range(count):
        task.output_seen += 1
        task.check_output()
        assert not task.output_done
    task.output_expected = count
    task.check_output()
    assert task.output_done
    assert task.output.done()
    assert task.output.result() is None


def test_output_that_comes_after_the_reply_is_waited_for(tasks):
    task = tasks.make()
    task.output_expected = 1
    task.check_output()
    assert not task.output.done()
    task.output_seen = 1
    task.check_output()
    assert task.output.done()
    task.check_output()  # once more does no harm


def test_a_task_whose_output_nobody_asked_for_has_no_future_for_it(tasks):
    task = tasks.make()
    task.output_expected = 0
    task.check_output()
    assert task._output is None


# ---- the table


@pytest.fixture
def table():
    return TaskTable()


def test_a_task_is_found_as_long_as_somebody_holds_it(tasks, table):
    task = tasks.make()
    msg_id = task.msg_id
    table.add(task)
    assert table.find(msg_id) is task
    assert table.end(msg_id) is task
    assert table.find(msg_id) is task
    del task
    assert table.find(msg_id) is None
    assert table.known() == []


def test_a_task_ends_once(tasks, table):
    task = tasks.make()
    table.add(task)
    table.end(task.msg_id)
    assert table.end(task.msg_id) is None
    assert table.end("unknown") is None


def test_tasks_sent_to_an_engine_are_found_by_it(tasks, table):
    first, second, balanced = (
        tasks.make(engine_uuid="a"),
        tasks.make(engine_uuid="b"),
        tasks.make(),
    )
    for task in (first, second, balanced):
        table.add(task)
    assert table.on_engine("a") == [first]
    assert table.on_engine("c") == []


def test_drained_it_is_empty(tasks, table):
    first, second = tasks.many(2)
    table.add(first)
    table.add(second)
    table.end(second.msg_id)
    assert table.drain() == [first]
    assert table.pending == {}
    assert set(table.known()) == {first, second}
