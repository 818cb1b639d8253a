"""Relays: traffic that needs no decision passes through C code in a thread, without the GIL."""

from __future__ import annotations

import threading
from collections.abc import Callable

import zmq
from zmq.devices.monitoredqueue import monitored_queue

Socket = zmq.Socket[bytes]


class Relay:
    """Runs a blocking function on sockets in a thread, until their context is terminated.

    Parameters
    ----------
    name : str
        Of the thread.
    run : callable
        Blocks; ends by raising ``zmq.ContextTerminated``.
    sockets : zmq.Socket
        Its arguments, closed at the end.
    """

    def __init__(self, name: str, run: Callable[..., object], *sockets: Socket) -> None:
        self._run = run
        self._sockets = sockets
        self._thread = threading.Thread(target=self._main, name=name, daemon=True)

    def start(self) -> None:
        """Begin to relay."""
        self._thread.start()

    def join(self) -> None:
        """Wait until the thread has ended, which the end of the context makes it do."""
        self._thread.join()

    def _main(self) -> None:
        try:
            self._run(*self._sockets)
        except zmq.ContextTerminated:
            pass
        finally:
            for socket in self._sockets:
                socket.close()


def request_relay(name: str, clients: Socket, engines: Socket, monitor: Socket) -> Relay:
    """Relays requests by the identity they begin with, and the replies back.

    Both ends are ROUTERs: ``[client, engine, ...]`` comes in and ``[engine, client, ...]`` goes
    out, and the other way round. A copy goes to `monitor`, after ``in`` or ``out``.
    """

    def run(clients: Socket, engines: Socket, monitor: Socket) -> None:
        monitored_queue(clients, engines, monitor, b"in", b"out")

    return Relay(name, run, clients, engines, monitor)


def output_relay(engines: Socket, clients: Socket) -> Relay:
    """Relays what engines publish (XSUB) to clients (XPUB), and subscriptions back."""
    return Relay("iopub relay", zmq.proxy, engines, clients)
