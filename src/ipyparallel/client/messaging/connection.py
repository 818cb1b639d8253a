"""The client's sockets: sent on by any thread, read by one.

A caller sends in its own thread, under a lock, without handing over to a loop. One I/O thread
sleeps until a socket has something, reads all there is under the same lock, and handles it after
letting the lock go.
"""

from __future__ import annotations

import atexit
import contextlib
import logging
import os
import select
import threading
import time
import weakref
from collections import deque
from collections.abc import Callable
from functools import cache
from socket import socketpair
from typing import Any, Protocol

import zmq

from ...error import ClientClosed
from ...protocol.connection import ClientInfo
from ...transport.liveness import Patience, is_connected, refused, watch
from ...transport.sockets import descriptor, has_input, new_socket, receive, send, send_tracked

_log = logging.getLogger("ipyparallel.client")

Socket = zmq.Socket[bytes]

#: Messages read from one socket under one hold of the lock.
BATCH = 100

#: Seconds between looks for a controller that was lost.
_LOOK = 0.25

#: Milliseconds that messages have to leave when the client closes.
_LINGER = 1000

#: The connections whose I/O threads run.
_open: weakref.WeakSet[Connection] = weakref.WeakSet()


@atexit.register
def _close_all() -> None:
    """Let the I/O threads end before the interpreter freezes them, perhaps with a lock held."""
    for connection in list(_open):
        connection.close()


def _disown_all() -> None:
    for connection in list(_open):
        connection.disown()


@cache
def _watch_forks() -> None:
    """Have forked processes know that the connections are not theirs."""
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=_disown_all)


class Inbox(Protocol):
    """Takes what the I/O thread reads."""

    def on_reply(self, channel: str, frames: list[Any]) -> None:
        """A reply to something that was sent."""

    def on_output(self, frames: list[Any]) -> None:
        """Something an engine published."""

    def on_notice(self, frames: list[Any]) -> None:
        """Something the hub tells all clients."""

    def on_lost(self, reason: str) -> None:
        """The controller is gone for good."""

    def on_forked(self) -> None:
        """This is a forked process, in which nothing will be read."""

    def on_closed(self) -> None:
        """The connection was closed: nothing will be read any more."""


class Connection:
    """Sockets to all channels of a controller.

    Parameters
    ----------
    info : ClientInfo
        The client's connection file.
    interface : str
        Its interface, as this host reaches it.
    token : bytes
        Subscribed to after everything else; see `controller.tokens`.
    """

    def __init__(self, info: ClientInfo, interface: str, inbox: Inbox, token: bytes) -> None:
        self._inbox = inbox
        self._lock = threading.Lock()
        self._context: zmq.Context[Socket] = zmq.Context()
        self._controller = f"{interface}:{info.registration}"
        self._patience = Patience()
        self.closed = False

        def open_socket(kind: int, port: int) -> Socket:
            socket = new_socket(self._context, kind, linger=_LINGER)
            socket.connect(f"{interface}:{port}")
            return socket

        query = new_socket(self._context, zmq.DEALER, linger=_LINGER)
        self._monitor = watch(query)
        query.connect(self._controller)
        self._requests = {
            "query": query,
            "mux": open_socket(zmq.DEALER, info.mux),
            "task": open_socket(zmq.DEALER, info.task),
            "control": open_socket(zmq.DEALER, info.control),
        }
        output = open_socket(zmq.SUB, info.iopub)
        notices = open_socket(zmq.SUB, info.notification)
        for socket in (output, notices):
            socket.subscribe(b"")
            socket.subscribe(token)
        handlers: list[tuple[Socket, Callable[[list[Any]], None]]] = [
            (notices, inbox.on_notice),
            (output, inbox.on_output),
            (self._monitor, self._on_monitor),
        ]
        for name, socket in self._requests.items():
            handlers.append((socket, _reply_handler(inbox, name)))
        self._handlers = handlers
        # objects, not descriptors: whoever writes to a closed one must not hit another file
        self._wake_read, self._wake_write = socketpair()
        self._wake_read.setblocking(False)
        self._wake_write.setblocking(False)
        self._thread = threading.Thread(target=self._run, name="ipyparallel client", daemon=True)

    @property
    def in_io_thread(self) -> bool:
        """Whether this is called in the thread that reads."""
        return threading.current_thread() is self._thread

    def start(self) -> None:
        """Begin to read."""
        _watch_forks()
        self._thread.start()
        _open.add(self)

    def send(self, channel: str, frames: list[Any], track: bool = False) -> Any:
        """Send a request; from any thread.

        Parameters
        ----------
        track : bool
            Whether to return a ``zmq.MessageTracker``.

        Raises
        ------
        ClientClosed
            The connection was closed.
        """
        missed = True
        try:
            with self._lock:
                if self.closed:
                    raise ClientClosed("Connections have been closed.")
                socket = self._requests[channel]
                try:
                    tracker = (send_tracked if track else send)(socket, frames)
                except BaseException:
                    # raised by a signal's handler, say: half a message must end here, or the
                    # next one becomes a part of it; the receiver drops it
                    socket.send(b"")
                    raise
                # sending may have used up the sign that something came meanwhile
                missed = has_input(socket)
                return tracker
        finally:
            if missed:
                self._wake()

    def close(self) -> None:
        """Close the sockets, once what was sent has left; from any thread."""
        self.abandon()
        if threading.current_thread() is not self._thread and self._thread.is_alive():
            self._thread.join()

    def abandon(self) -> None:
        """Have the I/O thread close the sockets; takes no lock and waits for nothing.

        For finalizers: these run in whichever thread the garbage collection happens to be, and
        that may be the I/O thread, with the lock held.
        """
        self.closed = True
        self._wake()

    def disown(self) -> None:
        """In a forked process, use the connection no more: it is the parent's."""
        self._lock = threading.Lock()  # another thread of the parent's may hold the old one
        self.closed = True
        self._inbox.on_forked()

    def _wake(self) -> None:
        # full: it is awake already; closed: it has ended
        with contextlib.suppress(OSError):
            self._wake_write.send(b"x")

    # ---- the I/O thread

    def _run(self) -> None:
        poller = select.poll()
        poller.register(self._wake_read, select.POLLIN)
        for socket, _ in self._handlers:
            poller.register(descriptor(socket), select.POLLIN)
        try:
            while not self.closed:
                # read before sleeping: what came earlier gives no sign any more
                while self._read_all():
                    pass
                if self._patience.waiting:
                    self._look()
                    poller.poll(_LOOK * 1000)
                else:
                    poller.poll()
                with contextlib.suppress(BlockingIOError):
                    self._wake_read.recv(4096)
        except BaseException as e:
            # nobody would ever hear of anything again
            self._inbox.on_lost(f"the client's own thread failed: {type(e).__name__}: {e}")
            raise
        finally:
            self._close_sockets()
        self._inbox.on_closed()

    def _read_all(self) -> bool:
        """Read and handle what is there; whether there may be more."""
        more = False
        for socket, handle in self._handlers:
            batch: deque[list[Any]] = deque()
            with self._lock:
                if self.closed:
                    return False
                try:
                    while len(batch) < BATCH:
                        batch.append(receive(socket))
                    more = True
                except zmq.Again:
                    pass
            while batch:
                # no name here for what was handled: it may be large, and nothing may come for long
                try:
                    handle(batch.popleft())
                except BaseException:  # noqa: BLE001  (one message must not end this thread)
                    _log.exception("A message could not be handled")
        return more

    def _on_monitor(self, frames: list[Any]) -> None:
        if is_connected(frames):
            self._patience.connected()
        else:
            self._patience.lost(time.monotonic())

    def _look(self) -> None:
        is_refused = refused(self._controller)
        if self._patience.is_over(time.monotonic(), is_refused):
            how = "nobody listens at" if is_refused else "no answer from"
            self._inbox.on_lost(f"the controller is gone ({how} {self._controller})")
            self._patience.connected()

    def _close_sockets(self) -> None:
        with self._lock:
            self.closed = True
            for socket, _ in self._handlers:
                socket.close()
            self._wake_read.close()
            self._wake_write.close()
        self._context.term()


def _reply_handler(inbox: Inbox, channel: str) -> Callable[[list[Any]], None]:
    return lambda frames: inbox.on_reply(channel, frames)
