"""What names tasks, and what they are found with."""

from types import SimpleNamespace

import pytest

from ipyparallel.client.jobs import TaskMethods, msg_ids_of
from ipyparallel.client.messaging.tasks import TaskTable
from ipyparallel.client.results import AsyncResult

HISTORY = ["a", "b", "c"]


@pytest.mark.parametrize(
    ("jobs", "msg_ids"),
    [
        ("x", ["x"]),
        (0, ["a"]),
        (-1, ["c"]),
        ([0, "x", -1], ["a", "x", "c"]),
        ({"x"}, ["x"]),
        (("x", ["y", 1]), ["x", "y", "b"]),
        ([], []),
    ],
)
def test_tasks_are_named_by_ids_and_places_in_the_history(jobs, msg_ids):
    assert msg_ids_of(jobs, HISTORY) == msg_ids


def test_tasks_are_named_by_results_and_futures(tasks):
    first, second = tasks.many(2)
    both = AsyncResult(None, [first, second])
    assert msg_ids_of(both, HISTORY) == [first.msg_id, second.msg_id]
    assert msg_ids_of([both, second], HISTORY) == [first.msg_id, second.msg_id, second.msg_id]


@pytest.mark.parametrize("jobs", [1.5, True, b"x", {"x": 1}, object(), [None], ["x", [2.5]]])
def test_other_things_name_no_task(jobs):
    with pytest.raises(TypeError, match="tasks are named by"):
        msg_ids_of(jobs, HISTORY)


def test_a_place_that_the_history_does_not_have_is_an_index_error():
    with pytest.raises(IndexError):
        msg_ids_of(7, HISTORY)


def test_a_failure_is_found_whatever_its_truth_is(tasks):
    class NoParts(Exception):
        def __len__(self):
            return 0

    client = TaskMethods()
    client._messenger = SimpleNamespace(tasks=TaskTable())
    client._messenger.tasks.add(task := tasks.make())
    with pytest.raises(KeyError, match="no result yet"):
        client.results[task.msg_id]
    tasks.fail(task, error := NoParts())
    assert client.results[task.msg_id] is error
