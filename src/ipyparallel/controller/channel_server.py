"""What the direct relays and the task schedulers have in common: each serves one channel."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from ..protocol.session import Session
from . import link
from .journal import Journal
from .serving import Handler, ServingThread, Socket


class RequestEnds(NamedTuple):
    """The sockets of who passes requests on: two bound ROUTERs, and one end of a pair; see `link`.

    Of the tasks that take turns, the socket on the engines' side is a DEALER.
    """

    clients: Socket
    engines: Socket
    hub: Socket


class Means(NamedTuple):
    """What a server of a channel is given."""

    #: For its use only.
    session: Session
    ends: RequestEnds
    #: Told what happens to tasks.
    journal: Journal
    log: logging.Logger
    #: Called, in a thread, when it cannot go on.
    on_failure: Callable[[], object]


class ChannelServer:
    """Stands between the clients and the engines on one channel, in a thread of its own."""

    def __init__(self, means: Means) -> None:
        self._session = means.session
        self._clients, self._engines, self._hub = means.ends
        self._journal = means.journal
        self._log = means.log
        self._on_failure = means.on_failure

    def _serve(
        self, name: str, served: Sequence[tuple[Socket, Handler]], **options: Callable[[], Any]
    ) -> None:
        """Set the thread up; see `ServingThread`."""
        self._thread = ServingThread(
            name, served, log=self._log, on_failure=self._on_failure, **options
        )

    def start(self) -> None:
        """Serve, until the hub says Stop."""
        self._thread.start()

    def join(self) -> None:
        """Wait until the thread has ended."""
        self._thread.join()

    def _tell(self, message: link.ToHub) -> None:
        self._hub.send(link.encode(message))
