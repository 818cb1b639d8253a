"""The thread that resolves futures goes on, whatever happens to them."""

import logging
import threading

import pytest

from ipyparallel.client.messaging.engines import EngineTable
from ipyparallel.client.messaging.resolving import SafeFuture, resolve
from ipyparallel.client.messaging.tasks import TaskTable
from ipyparallel.client.results import AsyncResult
from ipyparallel.client.waiting import future_engines
from ipyparallel.error import ControllerLost, EngineError


def leave(_):
    raise SystemExit


@pytest.mark.parametrize("error", [None, ValueError("v")])
def test_all_callbacks_are_called_whatever_one_of_them_raises(error, caplog):
    future, called = SafeFuture(), []
    future.add_done_callback(leave)
    future.add_done_callback(called.append)
    resolve(future, 1, error)
    assert called == [future]
    assert [record.levelno for record in caplog.records] == [logging.ERROR]


def test_what_is_resolved_is_not_resolved_again():
    future = SafeFuture()
    resolve(future, 1)
    resolve(future, 2)
    resolve(future, error=ValueError())
    assert future.result() == 1


def test_what_was_cancelled_stays_so():
    future = SafeFuture()
    future.cancel()
    resolve(future, 1)
    assert future.cancelled()


def test_a_callback_for_output_that_leaves_does_no_harm(tasks):
    task = tasks.make()
    task.output.add_done_callback(leave)
    task.output_expected = 0
    task.check_output()
    assert task.output.done()


def test_what_nobody_can_cancel_goes_on_and_its_result_comes(tasks):
    task = tasks.make()
    assert not task.cancel()
    ar = AsyncResult(None, [task])
    tasks.finish(task, 7)
    assert ar.get(timeout=1) == [7]


def test_a_result_completes_though_a_callback_before_it_leaves(tasks):
    task = tasks.make()
    task.add_done_callback(leave)
    ar = AsyncResult(None, [task])
    tasks.finish(task, 7)
    assert ar.get(timeout=1) == [7]


def test_tasks_are_gone_through_while_others_are_added(tasks):
    table, stop = TaskTable(), threading.Event()
    kept = []

    def add():
        while not stop.is_set():
            with table.lock:
                task = tasks.make()
                table.add(task)
                kept.append(task)

    thread = threading.Thread(target=add)
    thread.start()
    try:
        for _ in range(300):
            assert len(table.known()) <= len(kept)
    finally:
        stop.set()
        thread.join()


# ---- waiting for engines


def waiting(engines, n=1, lost=""):
    said = [lost]
    return future_engines(engines, n, lost=lambda: said[0]), said


def test_engines_are_waited_for():
    engines = EngineTable()
    future, _ = waiting(engines, 2)
    engines.add(0, "a", True)
    assert not future.done()
    engines.add(1, "b", True)
    assert future.result(0) is None
    assert (engines.callbacks, engines.watchers) == ([], [])


def test_an_engine_that_leaves_ends_the_waiting():
    engines = EngineTable()
    engines.add(0, "a", True)
    future, _ = waiting(engines, 2)
    engines.remove(0, "a", "killed")
    assert isinstance(future.exception(0), EngineError)


def test_a_lost_controller_ends_the_waiting():
    engines = EngineTable()
    future, said = waiting(engines)
    said[0] = "it was killed"
    engines.wake()
    assert isinstance(future.exception(0), ControllerLost)


def test_a_callback_for_engines_that_leaves_does_no_harm(caplog):
    engines = EngineTable()
    engines.callbacks.append(leave)
    engines.add(0, "a", True)
    assert engines.ids == [0]
    assert "A callback for engines failed" in caplog.text
