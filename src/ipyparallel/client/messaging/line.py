"""A socket for requests, which keeps what is sent as long as there is no connection.

ZeroMQ would do that, too. But when a connection breaks, nobody knows how much of what it still
had will arrive; so it is told to have nothing (``ZMQ_IMMEDIATE``): what was handed over while there
was a connection was sent, and may be lost with it; all else is here, in its order.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from contextlib import suppress
from typing import Any, cast

import zmq

from ...transport.liveness import watch
from ...transport.sockets import new_socket, send, send_tracked, tracked

#: Milliseconds that messages have to leave when the client closes.
LINGER = 1000


class Line:
    """Sends requests on one of the controller's channels. The caller holds the connection's lock.

    Parameters
    ----------
    url : str
        The controller's socket, a ROUTER.

    Attributes
    ----------
    is_open : bool
        Whether what is sent now goes to the socket.
    is_barred : bool
        Whether it is to stay closed, though there may be a connection.
    held : deque of (str, list of frames)
        What was sent and waits, by the ids of the messages.
    """

    def __init__(self, context: zmq.Context[zmq.Socket[bytes]], url: str) -> None:
        self.url = url
        self.is_open = self.is_barred = False
        self.held: deque[tuple[str, list[Any]]] = deque()
        self.socket = new_socket(context, zmq.DEALER, linger=LINGER)
        self.socket.setsockopt(zmq.IMMEDIATE, 1)
        self.monitor = watch(self.socket)

    def connect(self, identity: bytes = b"") -> None:
        """Connect, as the peer of that identity; a random one when it is empty."""
        if identity:
            self.socket.setsockopt(zmq.IDENTITY, identity)
        self.socket.connect(self.url)

    def send(self, msg_id: str, frames: list[Any], track: bool) -> zmq.MessageTracker | None:
        """Send a message, or keep it until there is a connection."""
        if self.is_open:
            try:
                return (send_tracked if track else send)(self.socket, frames, zmq.NOBLOCK)
            except zmq.Again:
                self.is_open = False
            except BaseException:
                # raised by a signal's handler, say: half a message must end here, or the
                # next one becomes a part of it; the receiver drops it
                with suppress(zmq.Again):
                    self.socket.send(b"", zmq.NOBLOCK)
                raise
        tracker = None
        if track:
            frames, tracker = tracked(frames)
        self.held.append((msg_id, frames))
        return tracker

    def bar(self) -> None:
        """Keep what is sent from now on."""
        self.is_open, self.is_barred = False, True

    def put_first(self, messages: Iterable[tuple[str, list[Any]]]) -> None:
        """Keep these, to be sent before all others."""
        self.held.extendleft(reversed(list(messages)))

    def open_if_possible(self) -> bool:
        """Send what was kept, if there is a connection; whether there is something to read.

        Looking and sending use up the sign that something has changed: whoever sleeps after that
        must have dealt with all that has come by then.
        """
        events = self._events()
        while events & zmq.POLLOUT and not (self.is_open or self.is_barred):
            with suppress(zmq.Again):  # the connection broke
                self._send_held()
            events = self._events()
        return bool(events & zmq.POLLIN)

    def _send_held(self) -> None:
        while self.held:
            send(self.socket, self.held[0][1], zmq.NOBLOCK)
            self.held.popleft()
        self.is_open = True

    def _events(self) -> int:
        return cast(int, self.socket.getsockopt(zmq.EVENTS))
