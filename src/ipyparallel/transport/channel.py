"""A socket on an asyncio loop: one callback a message, read in batches.

A ZeroMQ socket has a descriptor that becomes readable when *something* changed, once. So each wake
reads until the socket is empty, and each send looks whether something came meanwhile, because
sending may have used up the sign.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import zmq

from .sockets import descriptor, has_input, receive, send, send_if_there

#: Messages read in one go before others on the loop have their turn.
BATCH = 200


class Channel:
    """Reads a socket on an event loop and sends on it.

    Parameters
    ----------
    socket : zmq.Socket
        From now on used through this object only.
    on_message : callable
        Called with the frames of each message, on the loop. It must not raise.
    loop : asyncio loop, optional
        By default the running one.
    """

    __slots__ = ("_check_due", "_fd", "_loop", "_on_message", "socket")

    def __init__(
        self,
        socket: zmq.Socket[bytes],
        on_message: Callable[[list[Any]], None],
        loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        self.socket = socket
        self._on_message = on_message
        self._loop = loop or asyncio.get_running_loop()
        self._fd = descriptor(socket)
        self._check_due = False
        self._loop.add_reader(self._fd, self.read)
        # what arrived before the reader was added gives no sign any more
        self._check_soon()

    def send(self, frames: list[Any]) -> None:
        """Send a message, from the loop's thread."""
        try:
            send(self.socket, frames)
        finally:
            self._check_if_needed()

    def send_if_there(self, frames: list[Any]) -> bool:
        """Like `send`, on a ROUTER of `require_peers`; False if nobody of that name is there."""
        try:
            return send_if_there(self.socket, frames)
        finally:
            self._check_if_needed()

    def close(self) -> None:
        """Stop reading and close the socket."""
        if not self.socket.closed:
            self._loop.remove_reader(self._fd)
            self.socket.close()

    def _check_if_needed(self) -> None:
        # sending, even in vain, may have used up the sign that something came meanwhile
        if not self._check_due and not self.socket.closed and has_input(self.socket):
            self._check_soon()

    def _check_soon(self) -> None:
        self._check_due = True
        self._loop.call_soon(self.read)

    def read(self) -> None:
        """Read what is there, now; from the loop's thread."""
        self._check_due = False
        try:
            for _ in range(BATCH):
                if self.socket.closed:
                    return
                try:
                    frames = receive(self.socket)
                except zmq.Again:
                    return
                self._on_message(frames)
        except BaseException:
            self._check_soon()  # the rest must not wait for the next sign
            raise
        self._check_soon()
