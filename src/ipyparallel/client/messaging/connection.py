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
import weakref
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from functools import cache, partial
from socket import socketpair
from typing import Any, Protocol

import zmq

from ...error import ClientClosed
from ...protocol.connection import ClientInfo
from ...transport.liveness import watch
from ...transport.sockets import descriptor, has_input, new_socket, receive
from .line import LINGER, Line
from .outages import Outages

_log = logging.getLogger("ipyparallel.client")

Socket = zmq.Socket[bytes]

#: Messages read from one socket under one hold of the lock.
BATCH = 100

#: Seconds between looks for a controller that was lost.
_LOOK = 0.25

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

    def on_away(self, seconds: float) -> None:
        """The controller is gone, and is waited for, at most so long."""

    def on_back(self) -> None:
        """All is connected again after something was not: what was on its way may be lost, and
        requests are kept back, but for those to the hub, until `Connection.reopen`.
        """

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

    Attributes
    ----------
    opened : threading.Event
        Set when there has been a connection to all channels, or there will be none.
    """

    def __init__(self, info: ClientInfo, interface: str, inbox: Inbox, token: bytes) -> None:
        self._inbox = inbox
        self._lock = threading.Lock()
        self._context: zmq.Context[Socket] = zmq.Context()
        self._outages = Outages(
            f"{interface}:{info.registration}",
            on_broken=self._bar,
            on_mended=self._mended,
            on_away=inbox.on_away,
            on_lost=self._lost,
        )
        self._token = token
        self.opened = threading.Event()
        self.closed = False
        ports = {
            "query": info.registration,
            "mux": info.mux,
            "task": info.task,
            "control": info.control,
        }
        self._lines = {
            name: Line(self._context, f"{interface}:{port}") for name, port in ports.items()
        }
        self._lines["query"].connect()
        subscribed = ((info.notification, inbox.on_notice), (info.iopub, inbox.on_output))
        self._handlers: list[tuple[Socket, Callable[[list[Any]], None]]] = []
        for port, handle in subscribed:
            socket = new_socket(self._context, zmq.SUB, linger=LINGER)
            self._outages.watch(watch(socket))
            socket.connect(f"{interface}:{port}")
            socket.subscribe(b"")
            socket.subscribe(token)
            self._handlers.append((socket, handle))
        self._subscriptions = [socket for socket, _ in self._handlers]
        for name, line in self._lines.items():
            self._outages.watch(line.monitor)
            self._handlers.append((line.socket, partial(inbox.on_reply, name)))
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

    def connect(self, identity: bytes) -> None:
        """Connect to the channels other than that to the hub.

        Parameters
        ----------
        identity : bytes
            A name for this client, to which replies find their way after it has connected anew;
            empty for a controller that would not let it.
        """
        with self._lock:
            for line in self._lines.values():
                if line is not self._lines["query"] and not self.closed:
                    line.connect(identity)
        self._wake()

    def unopened(self) -> list[str]:
        """The addresses to which there is no connection."""
        return [line.url for line in self._lines.values() if not line.is_open]

    def wait_longer(self, seconds: float) -> None:
        """Give a controller that is gone at least so many seconds to come back."""
        self._outages.wait_longer(seconds)

    def send(self, channel: str, frames: list[Any], track: bool = False, msg_id: str = "") -> Any:
        """Send a request, when there is a connection; from any thread.

        Parameters
        ----------
        track : bool
            Whether to return a ``zmq.MessageTracker``.
        msg_id : str
            Names it among those that are `held`.

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
                line = self._lines[channel]
                tracker = line.send(msg_id, frames, track)
                # sending may have used up the sign that something came meanwhile
                missed = not line.is_open or has_input(line.socket)
                return tracker
        finally:
            if missed:
                self._wake()

    def held(self) -> set[str]:
        """The ids of the requests that wait for a connection."""
        with self._lock:
            return {msg_id for line in self._lines.values() for msg_id, _ in line.held}

    def reopen(self, again: Mapping[str, Sequence[tuple[str, list[Any]]]] | None = None) -> None:
        """Keep back requests no more.

        Parameters
        ----------
        again : mapping, optional
            By channel what is to be sent before those that wait: ids and frames.
        """
        with self._lock:
            for name, line in self._lines.items():
                line.put_first((again or {}).get(name, ()))
                line.is_barred = False
        self._wake()

    def subscribe_anew(self, token: bytes) -> None:
        """Subscribe to another token; in the I/O thread."""
        with self._lock:
            for socket in self._subscriptions:
                socket.unsubscribe(self._token)
                socket.subscribe(token)
            self._token = token

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
        for number in (*map(descriptor, self._sockets()), *self._outages.descriptors):
            poller.register(number, select.POLLIN)
        try:
            # only what comes after somebody has looked in vain gives a sign
            self._outages.read(self._outages.descriptors)
            while not self.closed:
                # before sleeping: what came earlier gives no sign any more
                while self._read_all() or self._open_lines():
                    pass
                if self._outages.waiting:
                    self._outages.look()
                ready = poller.poll(_LOOK * 1000 if self._outages.waiting else None)
                self._outages.read(number for number, _ in ready)
                with contextlib.suppress(BlockingIOError):
                    self._wake_read.recv(4096)
        except BaseException as e:
            # nobody would ever hear of anything again
            self._inbox.on_lost(f"the client's own thread failed: {type(e).__name__}: {e}")
            raise
        finally:
            self._close_sockets()
        self._inbox.on_closed()

    def _sockets(self) -> list[Socket]:
        return [socket for socket, _ in self._handlers]

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

    def _open_lines(self) -> bool:
        """Send what waited for a connection that is there; whether there may be more to read."""
        with self._lock:
            if self.closed:
                return False
            closed = [line for line in self._lines.values() if not line.is_open]
            # a list: all are to be opened, though the first has something to read
            readable = [line.open_if_possible() for line in closed]
            if all(line.is_open for line in closed):
                self.opened.set()
            return any(readable)

    def _bar(self) -> None:
        with self._lock:
            for line in self._lines.values():
                line.bar()

    def _mended(self) -> None:
        with self._lock:
            self._lines["query"].is_barred = False
        self._inbox.on_back()

    def _lost(self, reason: str) -> None:
        self._inbox.on_lost(reason)
        self.opened.set()

    def _close_sockets(self) -> None:
        with self._lock:
            self.closed = True
            for socket in self._sockets():
                socket.close()
            for line in self._lines.values():
                line.held.clear()
            self._outages.close()
            self._wake_read.close()
            self._wake_write.close()
        self._context.term()
