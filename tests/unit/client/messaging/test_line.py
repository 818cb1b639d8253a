"""Requests wait for a connection; what comes meanwhile is not missed."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import zmq

from ipyparallel.client.messaging.line import Line
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
