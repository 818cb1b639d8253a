"""The direct and control channels: requests to the engine they name, and the replies back.

A loop in Python, though nothing is decided here: ZeroMQ's C proxies that swap identities read two
address frames without asking whether there are two. One foreign frame, from anybody who can
connect, makes them take the next message for the rest of it, and wait for that message while all
replies stand still. So each message is verified first, as somebody has to do anyway who is to tell
how much each engine has to do.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Any

import msgspec

from ..error import EngineError, describe_exception
from ..protocol.holding import HoldingReply, HoldingRequest
from ..protocol.messages import COMM_MESSAGES, EMPTY, UNREADABLE, decode_header
from ..protocol.session import Message
from ..transport.sockets import HUB, require_peers, send_if_there
from . import link
from .agents import Agents, Handed
from .channel_server import ChannelServer, Means
from .direct_queues import Asked, DirectQueues
from .held_requests import HeldRequests

#: Requests that an engine's agent gets, if it has one, instead of the engine.
_INSTEAD = ("signal_request", "replace_request")

#: Requests that it gets as well.
_AS_WELL = ("shutdown_request",)

#: Requests that an engine cannot carry out: it is not asked if there is no agent.
_ONLY_AGENTS = ("replace_request",)

#: Requests of the hub's that are not held for an engine: others are, until it has returned.
_NOW_OR_NEVER = ("return_request",)

#: Requests that are tasks.
_TASKS = ("apply_request", "execute_request")

#: Why a request that was on its way, or its reply, is lost.
_NEVER_CAME = "the connection to it broke while the request was on its way"
_REPLY_LOST = (
    "it has done what was asked, and the result was lost: the connection broke while it was on its"
    " way, and it was too large, or there were too many, to be kept"
)

_AGENT_DIED = {
    "signal_request": "the agent of engine {uuid} died before it said whether the signal arrived;"
    " send it again if it did not",
    "replace_request": "the agent of engine {uuid} died before it said whether it had killed it;"
    " ask again if the engine is still there",
}
_AGENT_SILENT = dict.fromkeys(_INSTEAD, "the agent of engine {uuid} does not answer")


class AgentReady(msgspec.Struct):
    """An agent says for which engines it stands."""

    engines: list[str]


class RequestRelay(ChannelServer):
    """Passes messages between clients and engines, both of which are known by their identities.

    Parameters
    ----------
    channel : str
        Its name, for the log and the thread.
    """

    def __init__(self, channel: str, means: Means) -> None:
        super().__init__(means)
        require_peers(self._clients, self._engines)
        self._channel = channel
        self._queues = DirectQueues()
        self._agents = Agents()
        self._handed = Handed()
        self._held = HeldRequests()
        # the hub is last: it asks how much there is to do, after all that has passed
        self._serve(
            f"{channel} relay",
            (
                (self._clients, self._on_client),
                (self._engines, self._on_engine),
                (self._hub, self._on_hub),
            ),
        )

    def _on_client(self, frames: list[Any]) -> None:
        message = self._read(frames)
        if message is None or not self._is_addressed(message):
            return
        client, engine, *rest = frames
        uuid = _text(engine)
        msg_type = message.header.msg_type
        # The agent sees to it that an engine ends, too, if it does not hear a shutdown_request.
        heard = msg_type in (*_INSTEAD, *_AS_WELL) and self._to_agent(uuid, message, frames)
        if msg_type in _ONLY_AGENTS and not heard:
            self._refuse(message, f"no agent stands for engine {uuid}, so it cannot be replaced")
            return
        if msg_type in _TASKS:
            self._journal.submitted("mux", message, frames, uuid)
            if self._queues.is_gone(uuid):
                # It may be connected for a while. But nobody would hear if it does not answer.
                self._refuse(message, f"engine {uuid} is gone")
                return
        if not (heard and msg_type in _INSTEAD):
            self._pass_on(uuid, message, [client, *rest])
        elif msg_type not in COMM_MESSAGES:
            self._note(uuid, message)

    def _pass_on(self, uuid: str, message: Message, frames: list[Any]) -> None:
        """Send a request to its engine, now or when it can be reached again."""
        if message.header.msg_type in _NOW_OR_NEVER:
            self._send(uuid.encode(), frames)
        elif self._held.holds_for(uuid) or not self._send(uuid.encode(), frames):
            if self._held.add(uuid, message, frames):
                # the hub knows whether there is hope
                self._tell(link.EngineUnreachable(uuid))
        elif message.header.msg_type not in COMM_MESSAGES:
            self._note(uuid, message)

    def _note(self, uuid: str, message: Message) -> None:
        asked = Asked(message.idents[0], message.header_frame)
        self._queues.requested(uuid, message.header.msg_id, asked)

    def _to_agent(self, uuid: str, message: Message, frames: list[Any]) -> bool:
        """Pass a request on to who stands for the engine; False if nobody does."""
        agent = self._agents.of(uuid)
        if agent is None:
            return False
        if not self._send(agent, frames):
            self._agents.lost(agent)
            self._refuse_handed(self._handed.lost(agent), _AGENT_DIED)
            return False
        if message.header.msg_type in _INSTEAD:
            surplus = self._handed.add(agent, uuid, message)
            self._refuse_handed(surplus, _AGENT_SILENT)
        return True

    def _send(self, to: bytes, frames: list[Any]) -> bool:
        """Send on the engines' side; False if nobody of that identity is there."""
        return send_if_there(self._engines, [to, *frames])

    def _on_engine(self, frames: list[Any]) -> None:
        message = self._read(frames)
        if message is None:
            return
        if message.header.msg_type == "agent_ready":
            self._on_agent(message)
            return
        if message.header.msg_type == "holding_reply":
            self._on_holding(message)
            return
        if len(message.idents) == 3 and self._agents.knows(message.idents[0]):
            # from an agent in the name of an engine
            _, client, engine, *rest = frames
        elif self._is_addressed(message):
            engine, client, *rest = frames
        else:
            return
        if message.header.msg_type == "engine_ready":
            self._queues.returned(_text(engine))
        delivered = send_if_there(self._clients, [client, engine, *rest])
        # a reply that is malformed is passed on all the same; it is the client who says so
        with suppress(*UNREADABLE):
            uuid, parent = _text(engine), message.parent
            self._queues.replied(uuid, parent.msg_id)
            self._handed.answered(uuid, parent.msg_id)
            if parent.msg_type in _TASKS:
                is_fetched = delivered and client != HUB
                self._journal.ended(parent.msg_id, uuid, frames, is_fetched)

    def _on_agent(self, message: Message) -> None:
        try:
            ready: AgentReady = message.read_content(AgentReady)
        except ValueError as e:
            self._log.warning("Dropped a message on the %s channel: %s", self._channel, e)
            return
        agent = message.idents[0]
        self._agents.announced(agent, ready.engines)
        # not sent again: it may have been delivered, and whoever was interrupted then is not
        # who would be now
        self._refuse_handed(self._handed.replaced(agent, ready.engines), _AGENT_DIED)

    def _on_hub(self, frames: list[Any]) -> None:
        match link.decode_for_relay(frames[0]):
            case link.EngineAway(uuid):
                self._held.away(uuid)
            case link.EngineBack(uuid):
                self._held.back(uuid)
                self._release(uuid)
            case link.EngineUnknown(uuid):
                self._give_up(uuid, f"engine {uuid} cannot be reached")
            case link.Greet(uuid):
                self._greet(uuid)
            case link.RestoredDirect(tasks):
                for task in tasks:
                    asked = Asked(task.client, task.header_frame)
                    self._queues.requested(task.uuid, task.msg_id, asked)
            case link.EngineLeft(uuid, reason, engine_id, may_return):
                self._journal.engine_died(self._queues.forget(uuid), uuid, engine_id, reason)
                if not may_return:
                    self._agents.forget(uuid)
                why = f"engine {uuid} is gone" + (f": {reason}" if reason else "")
                for request in self._handed.forget(uuid):
                    self._refuse(request, why)
                self._give_up(uuid, why)
            case link.LoadRequest(number):
                self._tell(link.Load(number, self._queues.summary()))
            case link.Stop(engines):
                for uuid in engines:
                    self._send(uuid.encode(), [HUB, *self._session.message("controller_stopping")])
                self._thread.stop()

    # ---- engines that were out of reach

    def _release(self, uuid: str) -> None:
        """Send what was held for an engine, if it can be reached."""
        for held in self._held.take(uuid):
            self._pass_on(uuid, *held)

    def _give_up(self, uuid: str, why: str) -> None:
        """Refuse what was held for an engine."""
        self._held.back(uuid)
        for held in self._held.take(uuid):
            self._refuse(held.message, why)

    def _greet(self, uuid: str) -> None:
        """Ask an engine what it holds, if it can be reached; then send it what was held for it."""
        known = HoldingRequest(self._queues.pending(uuid))
        request = self._session.message("holding_request", known)
        if self._send(uuid.encode(), [HUB, *request]):
            self._queues.returned(uuid)
            self._tell(link.EngineReached(uuid))
            self._release(uuid)

    def _on_holding(self, message: Message) -> None:
        """An engine has answered that, after all that it had to answer before."""
        uuid = _text(message.idents[0])
        try:
            reply: HoldingReply = message.read_content(HoldingReply)
        except ValueError as e:
            self._log.warning("Dropped a message on the %s channel: %s", self._channel, e)
            return
        for msg_ids, why in ((reply.missing, _NEVER_CAME), (reply.lost, _REPLY_LOST)):
            for msg_id in msg_ids:
                asked = self._queues.withdraw(uuid, msg_id)
                if asked is not None:
                    self._refuse(_request(asked, uuid), f"engine {uuid}: {why}")

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

    def _refuse_handed(self, requests: Iterable[Message], why: Mapping[str, str]) -> None:
        """Answer what an agent was to answer: for each type, with the engine as ``{uuid}``."""
        for request in requests:
            uuid = _text(request.idents[1])
            self._queues.replied(uuid, request.header.msg_id)
            self._refuse(request, why[request.header.msg_type].format(uuid=uuid))

    def _refuse(self, request: Message, why: str) -> None:
        """Tell a client that the engine it asked does not answer."""
        # what the hub asks of an engine that may not be there is no news
        level = logging.DEBUG if request.idents[0] == HUB else logging.WARNING
        self._log.log(level, "Refused a %s: %s", request.header.msg_type, why)
        if request.header.msg_type in COMM_MESSAGES:
            return  # they have no reply
        reply = self._session.message(
            request.header.msg_type.replace("_request", "_reply"),
            describe_exception(EngineError(why)),
            parent=request.header_frame,
            metadata={"status": "error", "engine": _text(request.idents[1])},
        )
        delivered = send_if_there(self._clients, [*request.idents, *reply])
        if request.header.msg_type in _TASKS:
            uuid = _text(request.idents[1])
            is_fetched = delivered and request.idents[0] != HUB
            self._journal.ended(request.header.msg_id, uuid, reply, is_fetched)


def _request(asked: Asked, uuid: str) -> Message:
    """A request that was passed on, as far as it is needed to answer it."""
    frame = asked.header_frame
    idents = [asked.client, uuid.encode()]
    return Message(idents, decode_header(frame), frame, EMPTY, EMPTY, EMPTY, [])


def _text(identity: bytes) -> str:
    return identity.decode(errors="replace")
