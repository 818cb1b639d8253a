"""The direct and control channels: requests to the engine they name, and the replies back.

A loop in Python, though nothing is decided here: ZeroMQ's C proxies that swap identities read two
address frames without asking whether there are two. One foreign frame, from anybody who can
connect, makes them take the next message for the rest of it, and wait for that message while all
replies stand still. So each message is verified first, as somebody has to do anyway who is to tell
how much each engine has to do.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import zmq

from ..error import EngineError, describe_exception
from ..protocol.messages import COMM_MESSAGES, UNREADABLE
from ..protocol.session import Message, Session
from ..transport.sockets import receive, send
from . import link
from .direct_queues import DirectQueues

#: Messages of one socket handled before the others have their turn.
BATCH = 100


class RequestRelay:
    """Passes messages between clients and engines, both of which are known by their identities.

    Parameters
    ----------
    channel : str
        Its name, for the log and the thread.
    session : Session
        For this relay's use only.
    clients, engines : zmq.Socket
        Bound ROUTER sockets.
    hub : zmq.Socket
        One end of a pair; see `link`.
    on_failure : callable
        Called, in the thread, when it cannot go on.
    """

    def __init__(
        self,
        channel: str,
        session: Session,
        *,
        clients: zmq.Socket[bytes],
        engines: zmq.Socket[bytes],
        hub: zmq.Socket[bytes],
        log: logging.Logger,
        on_failure: Callable[[], object],
    ) -> None:
        self._on_failure = on_failure
        self._channel = channel
        self._session = session
        self._clients = clients
        self._engines = engines
        # a message to an engine that is gone is an error, not lost
        engines.setsockopt(zmq.ROUTER_MANDATORY, 1)
        self._hub = hub
        self._log = log
        self._queues = DirectQueues()
        self._stopped = False
        self._thread = threading.Thread(target=self._run, name=f"{channel} relay", daemon=True)

    def start(self) -> None:
        """Run in a thread of its own until the hub says Stop."""
        self._thread.start()

    def join(self) -> None:
        """Wait until the thread has ended."""
        self._thread.join()

    def _run(self) -> None:
        poller = zmq.Poller()
        for socket in (self._hub, self._clients, self._engines):
            poller.register(socket, zmq.POLLIN)
        try:
            while not self._stopped:
                poller.poll()
                self._drain(self._clients, self._on_client)
                self._drain(self._engines, self._on_engine)
                # last: it asks how much there is to do, after all that has passed
                self._drain(self._hub, self._on_hub)
        except zmq.ContextTerminated:
            pass
        except BaseException:
            self._log.exception("The %s failed", self._thread.name)
            self._on_failure()
            raise
        finally:
            for socket in (self._clients, self._engines, self._hub):
                socket.close()

    def _drain(self, socket: zmq.Socket[bytes], handler: Callable[[list[Any]], None]) -> None:
        for _ in range(BATCH):
            try:
                frames = receive(socket)
            except zmq.Again:
                return
            handler(frames)

    def _on_client(self, frames: list[Any]) -> None:
        message = self._read(frames)
        if message is None:
            return
        client, engine, *rest = frames
        try:
            send(self._engines, [engine, client, *rest])
        except zmq.ZMQError as e:
            if e.errno != zmq.EHOSTUNREACH:
                raise
            self._refuse(message)
        else:
            if message.header.msg_type not in COMM_MESSAGES:
                self._queues.requested(_text(engine), message.header.msg_id)

    def _on_engine(self, frames: list[Any]) -> None:
        message = self._read(frames)
        if message is None:
            return
        engine, client, *rest = frames
        # a reply that is malformed is passed on all the same; it is the client who says so
        with suppress(*UNREADABLE):
            self._queues.replied(_text(engine), message.parent.msg_id)
        send(self._clients, [client, engine, *rest])

    def _on_hub(self, frames: list[Any]) -> None:
        match link.decode_for_relay(frames[0]):
            case link.EngineLeft(uuid):
                self._queues.forget(uuid)
            case link.LoadRequest(number):
                self._hub.send(link.encode(link.Load(number, self._queues.summary())))
            case link.Stop():
                self._stopped = True

    def _read(self, frames: list[Any]) -> Message | None:
        """The message, if it is one of ours and says where it goes; else one line in the log."""
        try:
            message = self._session.parse(frames)
        except UNREADABLE as e:
            self._log.warning("Dropped a message on the %s channel: %s", self._channel, e)
            return None
        if len(message.idents) != 2:
            self._log.warning(
                "Dropped a message on the %s channel: it does not say where to", self._channel
            )
            return None
        return message

    def _refuse(self, request: Message) -> None:
        """Tell a client that the engine it asked is not there."""
        uuid = _text(request.idents[1])
        self._log.warning("Refused a %s: no engine %s", request.header.msg_type, uuid)
        if request.header.msg_type in COMM_MESSAGES:
            return  # they have no reply
        reply = self._session.message(
            request.header.msg_type.replace("_request", "_reply"),
            describe_exception(EngineError(f"engine {uuid} cannot be reached")),
            parent=request.header_frame,
            metadata={"status": "error", "engine": uuid},
        )
        send(self._clients, [*request.idents, *reply])


def _text(identity: bytes) -> str:
    return identity.decode(errors="replace")
