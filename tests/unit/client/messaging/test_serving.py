"""Waiting for a future by any way of the standard library calls the engine, in its main thread."""

from __future__ import annotations

import threading
from concurrent import futures
from concurrent.futures import Future

import pytest

from ipyparallel.client.messaging.resolving import SafeFuture
from ipyparallel.client.messaging.serving import host_of, serve_meanwhile


class Host:
    """Runs what is queued while somebody waits; sleeps if there is nothing."""

    def __init__(self) -> None:
        self.may = True
        self.work = []
        self.served = 0
        self.awake = threading.Semaphore(0)

    def may_serve(self) -> bool:
        return self.may

    def serve(self, done, timeout) -> bool:
        self.served += 1
        while not done():
            if self.work:
                self.work.pop(0)()
            elif not self.awake.acquire(timeout=timeout):
                break
        return done()

    def wake(self) -> None:
        self.awake.release()


@pytest.fixture
def host() -> Host:
    return Host()


def new_future(host: Host) -> Future:
    future = SafeFuture()
    serve_meanwhile(future, host)
    return future


WAYS = {
    "result": lambda future: future.result(),
    "result, in time": lambda future: future.result(20),
    "exception": lambda future: future.exception() or future.result(),
    "wait": lambda future: futures.wait([future]).done.pop().result(),
    "wait for the first": lambda future: (
        futures.wait([future, Future()], return_when="FIRST_COMPLETED").done.pop().result()
    ),
    "as_completed": lambda future: next(futures.as_completed([future])).result(),
}


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS.keys())
def test_work_is_done_meanwhile(host: Host, way):
    future = new_future(host)
    host.work.append(lambda: future.set_result(1))
    assert way(future) == 1
    assert host.served == 1


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS.keys())
def test_another_thread_ends_it(host: Host, way):
    future = new_future(host)
    thread = threading.Thread(target=lambda: future.set_result(1))
    host.work.append(thread.start)
    assert way(future) == 1
    thread.join()


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS.keys())
def test_what_is_done_is_not_waited_for(host: Host, way):
    future = new_future(host)
    future.set_result(1)
    assert way(future) == 1
    assert host.served == 0


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS.keys())
def test_where_the_engine_cannot_serve(host: Host, way):
    host.may = False
    future = new_future(host)
    thread = threading.Thread(target=lambda: future.set_result(1))
    thread.start()
    assert way(future) == 1
    assert host.served == 0
    thread.join()


def test_the_timeout(host: Host):
    future = new_future(host)
    with pytest.raises(TimeoutError):
        future.result(0.001)
    assert futures.wait([future], 0.001).not_done == {future}
    with pytest.raises(TimeoutError):
        next(futures.as_completed([future], 0.001))
    assert host.served == 3


def test_futures_of_two_kinds(host: Host):
    pair = [new_future(host), Future()]
    host.work = [lambda: pair[0].set_result(1), lambda: pair[1].set_exception(OSError())]
    assert futures.wait(pair, return_when="FIRST_EXCEPTION").done == set(pair)


def test_whose_it_is(host: Host):
    assert host_of(new_future(host)) is host
    assert host_of(SafeFuture()) is None
