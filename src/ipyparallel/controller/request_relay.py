"""The direct and control channels: requests to the engine they name, and the replies back.

A loop in Python, though nothing is decided here: ZeroMQ's C proxies that swap identities read two
address frames without asking whether there are two. One foreign frame, from anybody who can
connect, makes them take the next message for the rest of it, and wait for that message while all
replies stand still. So each message is verified first, as somebody has to do anyway who is to tell
how much each engine has to do.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import msgspec
import zmq

from ..error import EngineError, describe_exception
from ..protocol.messages import COMM_MESSAGES, UNREADABLE
from ..protocol.session import Message, Session
from ..transport.sockets import send
from . import link
from .agents import Agents
from .direct_queues import DirectQueues
from .serving import ServingThread

#: Requests that an engine's agent gets, if it has one.
_FOR_AGENTS = ("signal_request", "shutdown_request")


class AgentReady(msgspec.Struct):
    """An agent says for which engines it stands."""

    engines: list[str]


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
        self._channel = channel
        self._session = session
        self._clients = clients
        self._engines = engines
        # a message to an engine that is gone is an error, not lost
        engines.setsockopt(zmq.ROUTER_MANDATORY, 1)
        self._hub = hub
        self._log = log
        self._queues = DirectQueues()
        self._agents = Agents()
        # the hub is last: it asks how much there is to do, after all that has passed
        served = ((clients, self._on_client), (engines, self._on_engine), (hub, self._on_hub))
        self._thread = ServingThread(f"{channel} relay", served, log=log, on_failure=on_failure)

    def start(self) -> None:
        """Run in a thread of its own until the hub says Stop."""
        self._thread.start()

    def join(self) -> None:
        """Wait until the thread has ended."""
        self._thread.join()

    def _on_client(self, frames: list[Any]) -> None:
        message = self._read(frames)
        if message is None or not self._is_addressed(message):
            return
        client, engine, *rest = frames
        uuid = _text(engine)
        msg_type = message.header.msg_type
        # The agent sees to it that an engine ends, too, if it does not hear a shutdown_request.
        heard = msg_type in _FOR_AGENTS and self._to_agent(uuid, frames)
        if msg_type == "signal_request" and heard:
            sent = True
        else:
            sent = self._send(engine, [client, *rest])
        if not sent:
            self._refuse(message)
        elif msg_type not in COMM_MESSAGES:
            self._queues.requested(uuid, message.header.msg_id)

    def _to_agent(self, uuid: str, frames: list[Any]) -> bool:
        """Pass a request on to who stands for the engine; False if nobody does."""
        agent = self._agents.of(uuid)
        if agent is None:
            return False
        if not self._send(agent, frames):
            self._agents.lost(agent)
            return False
        return True

    def _send(self, to: bytes, frames: list[Any]) -> bool:
        """Send on the engines' side; False if nobody of that identity is there."""
        try:
            send(self._engines, [to, *frames])
        except zmq.ZMQError as e:
            if e.errno != zmq.EHOSTUNREACH:
                raise
            return False
        return True

    def _on_engine(self, frames: list[Any]) -> None:
        message = self._read(frames)
        if message is None:
            return
        if message.header.msg_type == "agent_ready":
            self._on_agent(message)
            return
        if len(message.idents) == 3 and self._agents.knows(message.idents[0]):
            # from an agent in the name of an engine
            _, client, engine, *rest = frames
        elif self._is_addressed(message):
            engine, client, *rest = frames
        else:
            return
        # a reply that is malformed is passed on all the same; it is the client who says so
        with suppress(*UNREADABLE):
            self._queues.replied(_text(engine), message.parent.msg_id)
        send(self._clients, [client, engine, *rest])

    def _on_agent(self, message: Message) -> None:
        try:
            ready: AgentReady = message.read_content(AgentReady)
        except ValueError as e:
            self._log.warning("Dropped a message on the %s channel: %s", self._channel, e)
            return
        self._agents.announced(message.idents[0], ready.engines)

    def _on_hub(self, frames: list[Any]) -> None:
        match link.decode_for_relay(frames[0]):
            case link.EngineLeft(uuid):
                self._queues.forget(uuid)
                self._agents.forget(uuid)
            case link.LoadRequest(number):
                self._hub.send(link.encode(link.Load(number, self._queues.summary())))
            case link.Stop():
                self._thread.stop()

    def _read(self, frames: list[Any]) -> Message | None:
        """The message, if it is one of ours; else one line in the log."""
        try:
            return self._session.parse(frames)
        except UNREADABLE as e:
            self._log.warning("Dropped a message on the %s channel: %s", self._channel, e)
            return None

    def _is_addressed(self, message: Message) -> bool:
        """Whether it says where it goes; if not, one line in the log."""
        if len(message.idents) != 2:
            self._log.warning(
                "Dropped a message on the %s channel: it does not say where to", self._channel
            )
        return len(message.idents) == 2

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
