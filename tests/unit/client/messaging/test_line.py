"""Requests wait for a connection; what comes meanwhile is not missed."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import pytest
import zmq

from ipyparallel.client.messaging.line import Line
from ipyparallel.transport.liveness import is_connected
from ipyparallel.transport.sockets import receive, send_if_there
from tests.support.processes import wait_until

Socket = zmq.Socket[bytes]


@pytest.fixture
def context() -> Iterator[zmq.Context[Socket]]:
    with zmq.Context() as context:
        yield context


@pytest.fixture
def controller(context: zmq.Context[Socket]) -> Iterator[Socket]:
    with context.socket(zmq.ROUTER) as socket:
        socket.setsockopt(zmq.ROUTER_MANDATORY, 1)
        socket.bind("tcp://127.0.0.1:*")
        yield socket


@pytest.fixture
def line(context: zmq.Context[Socket], controller: Socket) -> Iterator[Line]:
    line = Line(context, controller.getsockopt_string(zmq.LAST_ENDPOINT))
    line.connect(b"client")
    yield line
    line.monitor.close()
    line.socket.close(linger=0)


def test_what_was_sent_before_there_is_a_connection_leaves_in_its_order(line, controller):
    for n in range(3):
        line.send(str(n), [b"%d" % n], track=False)
    assert [msg_id for msg_id, _ in line.held] == ["0", "1", "2"]
    wait_until(lambda: line.open_if_possible() or line.is_open)
    assert not line.held
    line.send("3", [b"3"], track=False)
    assert [controller.recv_multipart() for _ in range(4)] == [
        [b"client", b"%d" % n] for n in range(4)
    ]


def test_a_barred_line_stays_closed(line, controller):
    wait_until(lambda: send_if_there(controller, [b"client", b"x"]))  # it is connected
    line.bar()
    line.send("1", [b"1"], track=False)
    line.open_if_possible()
    assert not line.is_open
    line.put_first([("0", [b"0"])])
    line.is_barred = False
    line.open_if_possible()
    assert [controller.recv_multipart()[1] for _ in range(2)] == [b"0", b"1"]


@pytest.mark.parametrize("is_barred", [False, True])
def test_who_opens_a_line_is_told_that_something_has_come(line, controller, is_barred):
    line.is_barred = is_barred
    wait_until(lambda: send_if_there(controller, [b"client", b"before"]))
    assert line.socket.poll(20_000, zmq.POLLIN)
    assert line.open_if_possible()
    assert line.is_open is not is_barred
    assert receive(line.socket) == [b"before"]
    assert not line.open_if_possible()


class Breaking(list[bytes]):
    """Frames; the connection breaks before the second is sent."""

    def __init__(self, frames: list[bytes], breaks: Callable[[], None]) -> None:
        super().__init__(frames)
        self._breaks: list[Callable[[], None]] = [breaks]

    def __iter__(self) -> Iterator[bytes]:
        for number, frame in enumerate(super().__iter__()):
            if number == 1 and self._breaks:
                self._breaks.pop()()
            yield frame


def test_a_message_whose_connection_breaks_in_its_middle_is_sent_whole(context, line, controller):
    wait_until(lambda: line.open_if_possible() or line.is_open)

    def break_connection() -> None:
        controller.close(linger=0)
        wait_until(lambda: line.monitor.poll(0) and not is_connected(receive(line.monitor)))
        time.sleep(0.005)  # or sending does not look whether there is still a connection

    line.send("1", Breaking([b"a", b"b", b"c", b"d"], break_connection), track=False)
    assert [msg_id for msg_id, _ in line.held] == ["1"]
    with context.socket(zmq.ROUTER) as again:
        again.bind(line.url)
        wait_until(lambda: line.open_if_possible() or line.is_open)
        line.send("2", [b"e"], track=False)
        assert again.recv_multipart()[1:] == [b"a", b"b", b"c", b"d"]
        assert again.recv_multipart()[1:] == [b"e"]
