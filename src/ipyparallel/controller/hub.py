"""The hub: knows the engines, tells everyone who comes and goes, and answers questions.

It hears events, never payloads: direct traffic is observed by header after the fact, and the task
scheduler reports over the link. All runs on one event loop, in the main thread.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import zmq

from ..protocol.framing import InvalidMessage
from ..protocol.messages import EngineNotice
from ..protocol.resources import format_resources
from ..protocol.session import Message, Session, new_id
from ..transport.channel import Channel
from ..transport.sockets import require_peers
from . import link, queries
from .dask import DaskScheduler
from .errands import Errands
from .loads import Loads
from .reach import Reach
from .record_output import TOPICS
from .records import Records
from .registry import CHANNELS, Engine, Registry
from .restoration import Restorable, Restoration
from .resubmission import Resubmission
from .returning import Returning
from .tokens import Tokens

#: Seconds between the news that an engine died and its announcement: what the engine sent before
#: it died is on its way, and must arrive first.
DEATH_GRACE = 0.1

#: Seconds after which an engine that has registered, and cannot be reached, is given up.
REGISTRATION_TIMEOUT = 30.0

#: End of the topic under which a published engine says that it ends.
_GOODBYE = b".shutdown"


@dataclass(slots=True)
class HubSockets:
    """The hub's ends of the controller's channels, bound or connected."""

    queries: list[zmq.Socket[bytes]]  # ROUTER
    notifications: zmq.Socket[bytes]  # XPUB
    ping: zmq.Socket[bytes]  # PUB
    pong: zmq.Socket[bytes]  # ROUTER
    mux: zmq.Socket[bytes]  # DEALER, a client of the direct channel
    control: zmq.Socket[bytes]  # DEALER, a client of the control channel
    output: zmq.Socket[bytes]  # SUB, a client of the output channel
    output_source: zmq.Socket[bytes]  # XPUB, like an engine on the output channel
    mux_relay: zmq.Socket[bytes]  # PAIR, as the next two; see `link`
    control_relay: zmq.Socket[bytes]
    scheduler: zmq.Socket[bytes]
    tasks: zmq.Socket[bytes]  # DEALER, a client of the task channel


@dataclass(slots=True)
class Leaving:
    """An engine that is gone, before this is announced."""

    #: Why, as far as is known yet.
    reason: str
    #: What waits for the announcement.
    then: list[Callable[[], None]] = field(default_factory=list)


class Hub:
    """Keeps the engines.

    Parameters
    ----------
    session : Session
        Signs and verifies.
    observer : Session
        Verifies copies of messages that were meant for others.
    sockets : HubSockets
        Used on the running loop from now on.
    connection_info, client_info : mapping
        Told to engines that register: where they connect, and where clients do.
    records : Records
        Of the tasks.
    heart_period : float
        Seconds between pings.
    max_misses : int
        See `Hearts`.
    stop : callable
        Ends the controller; called once, on a client's request.
    restorable : Restorable, optional
        If this controller, when it is killed, may be started again.
    """

    def __init__(
        self,
        session: Session,
        observer: Session,
        sockets: HubSockets,
        connection_info: Mapping[str, Any],
        *,
        client_info: Mapping[str, Any],
        records: Records,
        heart_period: float,
        max_misses: int,
        stop: Callable[[], None],
        log: logging.Logger,
        restorable: Restorable | None = None,
    ) -> None:
        self.session = session
        self.connection_info = dict(connection_info)
        self.client_info = dict(client_info)
        self.heart_period = heart_period
        self.stop = stop
        self.log = log
        self.records = records
        self.registry = Registry()
        self.resubmission = Resubmission(
            session, records.database, self.registry, self._submit_again
        )
        #: Names this run of the controller.
        self.instance = new_id()
        self.restoration = Restoration(self, restorable)
        self.dask = DaskScheduler(connection_info["interface"], log)
        self._observer = observer
        self._tokens = Tokens()
        self._leaving: dict[str, Leaving] = {}
        self._loads = Loads(lambda request: self.tell(request, "mux", "task"))
        self.ask_load = self._loads.ask
        self._loop = asyncio.get_running_loop()
        self._errands = Errands(self._ask_engine, self.tell_scheduler, self._lost)
        self.returning = Returning(self._ask_engine, self._loop.time)
        self._reach = Reach(self, sockets.ping, heart_period=heart_period, max_misses=max_misses)
        self._open(sockets)
        self.restoration.begin()
        self._reach.look()

    def _open(self, s: HubSockets) -> None:
        require_peers(*s.queries)
        self._queries = [
            Channel(socket, partial(self._on_query, number))
            for number, socket in enumerate(s.queries)
        ]
        self._notifications = Channel(s.notifications, partial(self._on_subscription, "notify"))
        self._pong = Channel(s.pong, self._on_pong)
        self._mux = Channel(s.mux, partial(self._on_report, "mux"))
        self._control = Channel(s.control, partial(self._on_report, "control"))
        self._output = Channel(s.output, self._on_output)
        self._output_source = Channel(s.output_source, partial(self._on_subscription, "output"))
        self._mux_relay = Channel(s.mux_relay, self._on_mux_relay)
        self._control_relay = Channel(s.control_relay, self._on_control_relay)
        self._scheduler = Channel(s.scheduler, self._on_scheduler)
        self._ends = {
            "mux": self._mux_relay,
            "control": self._control_relay,
            "task": self._scheduler,
        }
        # the records tell what becomes of them
        self._tasks = Channel(s.tasks, lambda frames: None)
        # Nothing is published under this. But an engine waits until it sees a subscription, since
        # from then on nothing that it publishes gets lost.
        s.output.subscribe(b"hub")
        if self.records.keeps_any:
            s.output.subscribe(b"engine.")

    def close(self) -> None:
        """Tell everyone that the controller stops, and close the sockets."""
        self._reach.close()
        self.notify("shutdown_notification", {"status": "ok"})
        self.restoration.close()
        patient = self.registry.ready if self.restoration.patience else []
        stop = link.Stop([engine.uuid for engine in patient if engine.native])
        self.tell(stop, "control")
        self.tell(link.Stop(), "mux", "task")
        for channel in (
            *self._queries,
            self._notifications,
            self._pong,
            self._mux,
            self._control,
            self._output,
            self._output_source,
            *self._ends.values(),
            self._tasks,
        ):
            channel.close()

    # ---- engines

    def engine_ready(self, engine: Engine) -> None:
        """An engine can be reached: tell the scheduler, then the clients."""
        joined = link.EngineJoined(
            engine.uuid, engine.id, engine.resources, engine.balanced, engine.answered
        )
        self.tell_scheduler(joined)
        self._reach.watch(engine)
        self.restoration.write()
        declared = format_resources(engine.resources)
        how = "back" if engine.returning else "ready"
        self.log.info("Engine %d is %s%s", engine.id, how, declared and f", with {declared}")
        notice = EngineNotice(engine.id, engine.uuid, engine.native, versions=engine.versions)
        self.notify("registration_notification", notice)
        self.returning.over(engine.uuid)
        self.restoration.check()

    def engine_coming(self, engine: Engine) -> None:
        """An engine registered, and will be ready when it can be reached."""
        if not engine.native:
            # only what ends it; the rest of its output is none of the hub's business
            self._output.socket.subscribe(_goodbye(engine))
            self._reach.watch(engine)
            self._reach.look()
        if engine.returning:
            # it may be busy, and unable to say itself that it is there
            self._reach.greet_soon(engine.uuid, CHANNELS)
        self._loop.call_later(REGISTRATION_TIMEOUT, self._give_up, engine)

    def engine_gone(self, engine: Engine, reason: str = "") -> None:
        """An engine died or left: tell everyone, once what it sent has arrived."""
        if self.registry.get(engine.uuid) is not engine:
            return
        if leaving := self._leaving.get(engine.uuid):
            leaving.reason = leaving.reason or reason
            return
        self._leaving[engine.uuid] = Leaving(reason)
        self._reach.leaving(engine)
        self._loop.call_later(DEATH_GRACE, self._announce_gone, engine)

    def engine_dead(self, uuid: str) -> None:
        """An engine that the hub does not know will not come back."""
        self.returning.over(uuid)
        self.restoration.check()

    def is_leaving(self, engine: Engine) -> bool:
        """Whether it is gone, and this is about to be announced."""
        return engine.uuid in self._leaving

    def when_gone(self, uuid: str, then: Callable[[], None]) -> None:
        """Call `then` when it has been announced that this engine is gone, which it is."""
        engine = self.registry.get(uuid)
        if engine is None:
            then()
            return
        # its reason is on its way, or lost
        self.engine_gone(engine)
        self._leaving[uuid].then.append(then)

    def _announce_gone(self, engine: Engine) -> None:
        leaving = self._leaving.pop(engine.uuid)
        self.registry.remove(engine.uuid)
        self._reach.gone(engine)
        if not engine.native:
            self._output.socket.unsubscribe(_goodbye(engine))
        self._tell_gone(engine, leaving.reason)
        for then in leaving.then:
            then()
        self.restoration.check()

    def _tell_gone(self, engine: Engine, reason: str) -> None:
        may_return = engine.uuid in self.returning
        left = link.EngineLeft(engine.uuid, reason, engine.id, may_return)
        if not engine.ready:
            self.log.warning("Engine %d left before it was ready: %s", engine.id, reason or "?")
            # it may have been there in an earlier run, and requests are held for it, or awaited
            self.tell(left, "mux", "control")
            return
        self.log.info("Engine %d is gone%s", engine.id, f": {reason}" if reason else "")
        self.restoration.write()
        # clients first: one whose balanced task fails should know by then that the engine is gone
        notice = EngineNotice(engine.id, engine.uuid, reason=reason)
        self.notify("unregistration_notification", notice)
        self.tell(left, "mux", "control", "task")

    def _give_up(self, engine: Engine) -> None:
        if not engine.ready and self.registry.get(engine.uuid) is engine:
            if engine.native:
                self.returning.given_up(engine.uuid)
            missing = ", ".join(sorted(engine.unreached)) if engine.native else "its heart"
            self.engine_gone(engine, f"it could not be reached in time (no sign from: {missing})")

    # ---- what comes in

    def _read(self, frames: list[Any], where: str, session: Session | None = None) -> Any:
        """The message in the frames; None, and one line in the log, if it is not one of ours."""
        try:
            return (session or self.session).parse(frames)
        except InvalidMessage as e:
            self.log.warning("Dropped a message on the %s channel: %s", where, e)
            return None

    def _on_query(self, channel: int, frames: list[Any]) -> None:
        message = self._read(frames, "query")
        if message is not None:
            queries.answer(self, message, partial(self.reply, channel, message))

    def reply(
        self,
        channel: int,
        request: Message,
        msg_type: str,
        content: Any,
        buffers: Sequence[Any] = (),
    ) -> bool:
        """Answer a query; whether who asked was there to take it."""
        frames = self.session.message(
            msg_type, content, parent=request.header_frame, buffers=buffers
        )
        return self._queries[channel].send_if_there([*request.idents, *frames])

    def notify(self, msg_type: str, content: Any) -> None:
        """Tell all clients."""
        self._notifications.send(self.session.message(msg_type, content))

    def when_subscribed(self, token: str, then: Callable[[], None]) -> None:
        """Call `then` when the client of this token hears notifications and output."""
        self._tokens.expect(token, then)

    def _on_subscription(self, channel: str, frames: list[Any]) -> None:
        if frames[0][:1] == b"\x01":
            self._tokens.seen(channel, frames[0][1:])
        else:
            self._tokens.gone(frames[0][1:])

    def _on_report(self, channel: str, frames: list[Any]) -> None:
        """An engine speaks to the hub over one of the channels that it serves."""
        message = self._read(frames, channel)
        if message is None or not message.idents:
            return
        uuid = message.idents[0].decode(errors="replace")
        try:
            match message.header.msg_type:
                case "engine_ready":
                    self._reach.reached(uuid, channel)
                case "engine_reconnected":
                    self._reach.reconnected(uuid)
                case _:
                    self._errands.answered(uuid, message)
        except ValueError as e:
            self.log.warning("Dropped a message on the %s channel: %s", channel, e)

    def _on_scheduler(self, frames: list[Any]) -> None:
        match link.decode_for_hub(frames[0]):
            case link.EngineReached(uuid):
                self._reach.reached(uuid, "task")
            case link.EngineUnreachable(uuid):
                self._reach.unreachable(uuid, "task")
            case link.Load() as load:
                self._loads.balanced(load)
            case errand:
                # if it is gone, the scheduler has heard that meanwhile, or will
                engine = self.registry.get(errand.uuid)
                if engine is not None and engine.uuid not in self._leaving:
                    self._errands.run(errand, engine.native)

    def _ask_engine(self, uuid: str, msg_type: str, content: Any) -> None:
        """Ask an engine; `_on_report` hears its answer."""
        self._control.send([uuid.encode(), *self.session.message(msg_type, content)])

    def _submit_again(self, uuid: str, frames: list[Any]) -> None:
        """Send a task to an engine, or to the scheduler."""
        if uuid:
            self._mux.send([uuid.encode(), *frames])
        else:
            self._tasks.send(frames)

    def restore_tasks(self) -> None:
        """Have go on what is left of the tasks of the run before this one."""
        engines = (*self.registry.ready, *self.registry.coming)
        held = {name for engine in engines for name in (*engine.holding, *engine.answered)}
        restored = self.records.restore(held, self.session)
        self.tell(link.RestoredDirect(restored.direct), "mux")
        self.tell_scheduler(link.Restored(restored.balanced, restored.ended))

    def tell(self, message: link.ToScheduler | link.ToRelay, *channels: str) -> None:
        """Send it to who serves these channels: the relays ("mux", "control"), the scheduler."""
        encoded = link.encode(message)
        for channel in channels:
            self._ends[channel].send([encoded])

    def tell_scheduler(self, message: link.ToScheduler) -> None:
        """Send it."""
        self.tell(message, "task")

    def _lost(self, uuid: str, reason: str) -> None:
        if engine := self.registry.get(uuid):
            self.engine_gone(engine, reason)

    def _on_mux_relay(self, frames: list[Any]) -> None:
        match link.decode_for_hub(frames[0]):
            case link.Load() as load:
                self._loads.direct(load)
            case link.EngineReached(uuid):
                self._reach.reached(uuid, "mux")
            case link.EngineUnreachable(uuid):
                self._reach.unreachable(uuid, "mux")

    def _on_control_relay(self, frames: list[Any]) -> None:
        # nobody asks how many control requests an engine has
        match link.decode_for_hub(frames[0]):
            case link.EngineReached(uuid):
                self._reach.reached(uuid, "control")
            case link.EngineUnreachable(uuid):
                self._reach.unreachable(uuid, "control")

    def tell_unknown(self, uuid: str, channel: str) -> None:
        """Tell a relay that an engine will not be reached."""
        self.tell(link.EngineUnknown(uuid), channel)

    def _on_output(self, frames: list[Any]) -> None:
        topic = frames[0]
        is_goodbye = topic.endswith(_GOODBYE)
        if not is_goodbye and not topic.endswith(TOPICS):
            return
        message = self._read(frames, "output", self._observer)
        if message is None:
            return
        if not is_goodbye:
            self.records.output(message)
        elif message.header.msg_type == "shutdown_reply" and (
            # a published engine says goodbye this way; its session is its uuid
            engine := self.registry.get(message.header.session)
        ):
            self.engine_gone(engine, "it was shut down")

    def _on_pong(self, frames: list[Any]) -> None:
        self._reach.heard(frames[0].decode(errors="replace"))


def _goodbye(engine: Engine) -> bytes:
    """The topic under which a published engine says that it ends."""
    return f"engine.{engine.id}".encode() + _GOODBYE
