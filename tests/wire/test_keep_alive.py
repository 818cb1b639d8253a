"""Connections that are idle are kept alive: a firewall drops those of which nothing is heard."""

from __future__ import annotations

from pathlib import Path

import pytest
import zmq

from ipyparallel.transport.sockets import new_socket

_TABLE = Path("/proc/net/tcp")

#: In the system's table: a connection that is established, and the timer that waits for its next
#: sign of life.
_ESTABLISHED, _KEEP_ALIVE = "01", "02"


def timers(port: int) -> list[str]:
    """The kinds of timers that run on both ends of the connections to a port of this host."""
    found = []
    for line in _TABLE.read_text().splitlines()[1:]:
        _, local, remote, state, _, timer, *_ = line.split()
        ports = {int(address.rpartition(":")[2], 16) for address in (local, remote)}
        if port in ports and state == _ESTABLISHED:
            found.append(timer.partition(":")[0])
    return found


@pytest.mark.skipif(not _TABLE.exists(), reason="only Linux tells of the timers of connections")
def test_both_ends_of_an_idle_connection_wait_to_be_heard_of() -> None:
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    server, client = new_socket(context, zmq.ROUTER), new_socket(context, zmq.DEALER)
    try:
        port = server.bind_to_random_port("tcp://127.0.0.1")
        client.connect(f"tcp://127.0.0.1:{port}")
        client.send(b"hello")
        identity, _ = server.recv_multipart()
        server.send_multipart([identity, b"hello"])
        client.recv()
        # while something is on its way, another timer runs in its place
        while (running := timers(port)) not in ([_KEEP_ALIVE] * 2,):
            assert set(running) <= {_KEEP_ALIVE, "01", "04"}, running
            assert len(running) == 2
    finally:
        context.destroy(linger=0)
