"""A thread that serves sockets: what all loops on raw sockets have in common."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from typing import Any

import zmq

from ..transport.sockets import receive

#: Messages of one socket handled before the others have their turn.
BATCH = 100

Socket = zmq.Socket[bytes]
Handler = Callable[[list[Any]], None]


def drain(socket: Socket, handler: Handler) -> bool:
    """Handle what is there, or as much as is fair; whether there may be more."""
    for _ in range(BATCH):
        try:
            frames = receive(socket)
        except zmq.Again:
            return False
        handler(frames)
    return True


class ServingThread:
    """Hands what arrives at sockets to their handlers, until it is told to stop.

    Parameters
    ----------
    name : str
        For the log and the thread.
    served : sequence of (socket, handler)
        In the order in which they have their turn after each wake-up. Closed at the end.
    on_failure : callable
        Called, in the thread, when it cannot go on.
    patience : callable, optional
        Asked before each wait for the milliseconds after which to go on though nothing has come;
        None for ever.
    after_each_round : callable, optional
        Called after all sockets have had their turn.
    """

    def __init__(
        self,
        name: str,
        served: Sequence[tuple[Socket, Handler]],
        *,
        log: logging.Logger,
        on_failure: Callable[[], object],
        patience: Callable[[], int | None] = lambda: None,
        after_each_round: Callable[[], None] = lambda: None,
    ) -> None:
        self._name = name
        self._served = served
        self._log = log
        self._on_failure = on_failure
        self._patience = patience
        self._after_each_round = after_each_round
        self._stopped = False
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End after this round; called by a handler."""
        self._stopped = True

    def join(self) -> None:
        """Wait until it has ended."""
        self._thread.join()

    def _run(self) -> None:
        poller = zmq.Poller()
        for socket, _ in self._served:
            poller.register(socket, zmq.POLLIN)
        try:
            while not self._stopped:
                poller.poll(self._patience())
                for socket, handler in self._served:
                    drain(socket, handler)
                self._after_each_round()
        except zmq.ContextTerminated:
            pass
        except BaseException:
            self._log.exception("The %s failed", self._name)
            self._on_failure()
            raise
        finally:
            for socket, _ in self._served:
                socket.close()
