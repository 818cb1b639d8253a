"""The heart: echoes the hub's pings in a C thread, whatever the engine's Python is doing."""

from __future__ import annotations

import threading

import zmq

from .liveness import reconnect_soon
from .sockets import new_socket

#: Milliseconds between the pings by which ZeroMQ finds that the network is gone, and how long it
#: waits for an answer. When it is back a new connection is made at once, while the old one would
#: be silent for as long again.
_PING_INTERVAL = 5_000
_PING_TIMEOUT = 10_000


class Heart:
    """A SUB socket proxied to a DEALER, in a daemon thread that never takes the GIL.

    Parameters
    ----------
    ping_url, pong_url : str
        Where the hub pings and where it hears the answers.
    identity : bytes
        The engine's uuid.
    """

    def __init__(self, ping_url: str, pong_url: str, identity: bytes) -> None:
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        ping = new_socket(self._context, zmq.SUB)
        ping.subscribe(b"")
        pong = new_socket(self._context, zmq.DEALER, identity=identity)
        for socket in (ping, pong):
            reconnect_soon(socket)
            socket.setsockopt(zmq.HEARTBEAT_IVL, _PING_INTERVAL)
            socket.setsockopt(zmq.HEARTBEAT_TIMEOUT, _PING_TIMEOUT)
        ping.connect(ping_url)
        pong.connect(pong_url)
        self._sockets = (ping, pong)
        self._thread = threading.Thread(target=self._beat, name="heart", daemon=True)

    def start(self) -> None:
        """Begin to echo."""
        self._thread.start()

    def stop(self) -> None:
        """Stop echoing; the hub will count this engine as dead unless told otherwise."""
        # closing the context ends the proxy, whose thread then closes its sockets
        self._context.term()
        self._thread.join()

    def _beat(self) -> None:
        ping, pong = self._sockets
        try:
            zmq.proxy(ping, pong)
        except zmq.ContextTerminated:
            pass
        finally:
            ping.close()
            pong.close()
