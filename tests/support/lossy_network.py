"""A network between a client and a controller, which can lose what is on its way, and break."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from typing import Any

from .processes import port_range

#: Channels of the clients' connection file.
CHANNELS = ("registration", "control", "mux", "task", "iopub", "notification")


class LossyNetwork:
    """Passes TCP connections on to a controller, until it is told otherwise.

    Parameters
    ----------
    info : dict
        What the clients' connection file holds.

    Attributes
    ----------
    info : dict
        The same for clients that are to connect through this.
    """

    def __init__(self, info: dict[str, Any]) -> None:
        self._host = info["interface"].removeprefix("tcp://")
        self._targets = {name: info[name] for name in CHANNELS}
        first = int(port_range().partition("-")[0])
        self._ports = {name: first + n for n, name in enumerate(CHANNELS)}
        self._lock = threading.Lock()
        self._is_up = self._swallows = False
        self._sockets: set[socket.socket] = set()
        self._threads: list[threading.Thread] = []
        self.mend()
        self.info = {**info, **self._ports}

    def swallow(self) -> None:
        """From now on nothing arrives any more, and nobody notices."""
        self._swallows = True

    def cut(self) -> None:
        """Break all connections, and refuse new ones."""
        with self._lock:
            self._is_up = False
            for each in list(self._sockets):
                with suppress(OSError):  # the other end may have gone
                    each.shutdown(socket.SHUT_RDWR)
        while self._threads:
            self._threads.pop().join()

    close = cut

    def mend(self) -> None:
        """Let connections through again."""
        self._is_up, self._swallows = True, False
        for name, port in self._ports.items():
            listener = socket.create_server(("127.0.0.1", port), backlog=100)
            with self._lock:
                self._sockets.add(listener)
            self._start(self._accept, name, listener)

    def _start(self, target: Any, *args: Any) -> None:
        thread = threading.Thread(target=target, args=args, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self, name: str, listener: socket.socket) -> None:
        with listener, suppress(OSError):  # until it is shut down
            while True:
                here, _ = listener.accept()
                self._pass(name, here)
        with self._lock:
            self._sockets.discard(listener)

    def _pass(self, name: str, here: socket.socket) -> None:
        try:
            there = socket.create_connection((self._host, self._targets[name]))
        except OSError:
            here.close()
            return
        with self._lock:
            if not self._is_up:
                here.close()
                there.close()
                return
            self._sockets |= {here, there}
            ended = threading.Semaphore(0)
            self._start(self._pump, here, there, ended)
            self._start(self._pump, there, here, ended)

    def _pump(self, source: socket.socket, to: socket.socket, ended: threading.Semaphore) -> None:
        with suppress(OSError):
            while data := source.recv(1 << 16):
                if not self._swallows:
                    to.sendall(data)
        with suppress(OSError):
            to.shutdown(socket.SHUT_RDWR)
        ended.release()
        if source.fileno() < to.fileno():  # one of the two sees to the end of both
            ended.acquire()
            ended.acquire()
            with self._lock:
                self._sockets -= {source, to}
            source.close()
            to.close()
