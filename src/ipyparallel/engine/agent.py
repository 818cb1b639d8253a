"""The agent: the network side of a supervisor, in a small process of its own.

The supervisor must have no sockets, since it forks; an engine in C code that keeps the GIL hears
nothing, on whichever thread. So a third process stands by both::

                     pipe: born, died                      registration: deaths
        supervisor ──────────────────► agent ────────────────────────────────────► hub
            │     ◄─────────────────── │ ▲  control: requests for these engines
            │ forks   pipe: orders     │ └───────────────────────────────────── relay
            ▼                          │
         engines ◄─────────────────────┘
                   signals, by process

It says on the control channel for which engines it stands; the controller's relay then sends it
the signals that clients mean for these, and it answers in their names. A published controller
does not know of agents: there an engine's own control thread serves signals, as well as it can.

It is asked to replace engines, too: it kills them, and the supervisor finds the order to start
others; see `orders`.

When its connection to the controller broke, it says all this again, and which engines died last,
since it cannot know what has arrived.

It ends with the supervisor. If that was killed, the agent first sees to the engines.
"""

from __future__ import annotations

import logging
import math
import os
import signal
import time
from collections import deque
from collections.abc import Iterable
from contextlib import suppress
from typing import Any

import msgspec
import zmq

from ..error import EngineError, describe_exception
from ..protocol.connection import EngineInfo
from ..protocol.messages import UNREADABLE, UnregistrationRequest
from ..protocol.session import Message, Session, new_id
from ..transport.addresses import reachable
from ..transport.liveness import refused, watch_connections
from ..transport.sockets import HUB, new_socket, receive, send
from .control import STOP_GRACE
from .deaths import with_last_lines
from .engine_process import EngineProcess
from .orders import Dismiss, Orders, Replace
from .signals import parse_signal

#: Seconds that an engine has to end when it is told to, before it is killed. It ends by itself,
#: even in the middle of a task, within `STOP_GRACE`, unless it cannot run Python code at all.
KILL_AFTER = STOP_GRACE + 1.0

#: When an engine is to be killed that was.
_KILLED = float("inf")

#: Seconds between looks at engines whose supervisor has died.
_LOOK = 0.05

#: Milliseconds that the last messages have to leave when the agent ends.
_LINGER = 3000

#: Deaths of which the hub is told once more when a connection broke.
_KEPT_DEATHS = 100

#: Signals that may reach all processes of a terminal, a job or a container. The agent goes on: it
#: has to tell of the deaths that they cause.
IGNORED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2)


class Born(msgspec.Struct, tag=True):
    """Supervisor: there is a new engine."""

    uuid: str
    pid: int


class Died(msgspec.Struct, tag=True):
    """Supervisor: an engine has ended, and the hub is to be told."""

    uuid: str
    id: int | None
    reason: str
    #: Of what it wrote to the log.
    last_lines: str = ""


class Ended(msgspec.Struct, tag=True):
    """Supervisor: an engine has ended as it should, and has said so itself."""

    uuid: str


ToAgent = Born | Died | Ended

encode = msgspec.json.Encoder().encode
_decode_lines = msgspec.json.Decoder(ToAgent).decode_lines


class Agent:
    """Stands for the engines of one supervisor.

    Parameters
    ----------
    info : EngineInfo
        Where the controller is.
    pipe : int
        Read end of the pipe from the supervisor; its end is the end of that.
    orders : Orders
        The pipe to the supervisor.
    engines : iterable of Born
        Those that are there already, when this is not the first agent.
    deaths : iterable of Died
        Those that may not have been told yet, for the same reason.
    """

    def __init__(
        self,
        info: EngineInfo,
        pipe: int,
        orders: Orders,
        log: logging.Logger,
        *,
        engines: Iterable[Born] = (),
        deaths: Iterable[Died] = (),
    ) -> None:
        self._pipe = pipe
        self._orders = orders
        self._log = log
        self._session = Session(info.key.encode(), signature_scheme=info.signature_scheme)
        self._engines: dict[str, EngineProcess] = {}
        #: When to kill an engine that was told to end, and the request that told it; infinity
        #: once it was killed.
        self._overdue: dict[str, tuple[float, Message]] = {}
        self._rest = b""
        interface = reachable(info.interface, info.location)
        self._registration_url = f"{interface}:{info.registration}"
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self._registration = new_socket(self._context, zmq.DEALER, linger=_LINGER)
        self._connections = [watch_connections(self._registration)]
        self._registration.connect(self._registration_url)
        identity = f"agent-{new_id()}".encode()
        self._control = new_socket(self._context, zmq.DEALER, identity=identity, linger=_LINGER)
        self._connections.append(watch_connections(self._control))
        self._control.connect(f"{interface}:{info.control}")
        #: How many connections there have been.
        self._connected = 0
        self._deaths: deque[Died] = deque(maxlen=_KEPT_DEATHS)
        self._take([*engines, *deaths])

    def run(self) -> None:
        """Serve until the supervisor ends."""
        poller = zmq.Poller()
        poller.register(self._pipe, zmq.POLLIN)
        poller.register(self._control, zmq.POLLIN)
        for monitor in self._connections:
            poller.register(monitor, zmq.POLLIN)
        while True:
            # the pipe first: a signal must not find an engine that is known to be dead
            if self._pipe in dict(poller.poll(self._patience())) and not self._read_pipe():
                break
            self._look_for_connections()
            self._serve()
            self._kill_overdue()
        self._see_to_orphans()
        self._close()

    # ---- the supervisor

    def _read_pipe(self) -> bool:
        """Take what the supervisor says; False when it has ended."""
        data = os.read(self._pipe, 1 << 16)
        lines, newline, self._rest = (self._rest + data).rpartition(b"\n")
        if newline:
            self._take(_decode_lines(lines))
        return bool(data)

    def _take(self, messages: Iterable[ToAgent]) -> None:
        for message in messages:
            if isinstance(message, Born):
                self._engines[message.uuid] = EngineProcess(message.pid)
                continue
            if isinstance(message, Died):
                self._report(message)
                self._deaths.append(message)
            if engine := self._engines.pop(message.uuid, None):
                engine.close()
            self._overdue.pop(message.uuid, None)
        self._announce()

    def _announce(self) -> None:
        content = {"engines": list(self._engines)}
        send(self._control, [HUB, *self._session.message("agent_ready", content)])

    def _look_for_connections(self) -> None:
        """Say everything again if there is a connection in the place of one that broke."""
        came = 0
        for monitor in self._connections:
            while monitor.poll(0):
                monitor.recv_multipart()
                came += 1
        self._connected += came
        if came and self._connected > len(self._connections):
            for death in self._deaths:
                self._report(death)
            self._announce()

    def _report(self, death: Died) -> None:
        reason = death.reason
        if self._overdue.get(death.uuid, (0,))[0] == _KILLED:
            reason += f", since it did not end within {KILL_AFTER:g} s when it was told to"
        told = with_last_lines(reason, death.last_lines)
        request = UnregistrationRequest(death.id, death.uuid, told)
        send(self._registration, self._session.message("unregistration_request", request))

    # ---- requests

    def _serve(self) -> None:
        while True:
            try:
                frames = receive(self._control)
            except zmq.Again:
                return
            try:
                message = self._session.parse(frames)
                _, uuid = message.idents
                content = message.content()
                if not isinstance(content, dict):
                    raise ValueError(f"content of {message.header.msg_type} is not an object")
            except UNREADABLE as e:
                self._log.warning("Dropped a message on the control channel: %s", e)
                continue
            self._handle(message, uuid.decode(errors="replace"), content)

    def _handle(self, message: Message, uuid: str, content: dict[str, Any]) -> None:
        if message.header.msg_type == "shutdown_request":
            # the engine itself got it, too, and answers; see to it that it ends
            self._expect_end(uuid, message)
            return
        try:
            if message.header.msg_type == "replace_request":
                self._replace(uuid, content)
            else:
                self._deliver(uuid, content, message)
        except (TypeError, ValueError, OSError, EngineError) as e:
            self._log.warning("Refused a %s: %s", message.header.msg_type, e)
            self._reply(message, describe_exception(e))
        else:
            self._reply(message, {"status": "ok"})

    def _deliver(self, uuid: str, content: dict[str, Any], message: Message) -> None:
        if "sig" not in content:
            raise ValueError("a signal_request must say which signal, as 'sig'")
        number = parse_signal(content["sig"])
        if not self._living(uuid).send_signal(number):
            raise EngineError(f"engine {uuid} is gone")
        if number == signal.SIGTERM:
            self._expect_end(uuid, message)

    def _replace(self, uuid: str, content: dict[str, Any]) -> None:
        reason = content.get("reason")
        if not isinstance(reason, str) or not reason:
            raise ValueError("a replace_request must say why, as 'reason'")
        engine = self._living(uuid)
        if uuid in self._overdue:
            raise EngineError(f"engine {uuid} is stopping")
        # in this order: the supervisor has to know when it sees the death
        self._orders.give(Replace(uuid, reason))
        engine.send_signal(signal.SIGKILL)

    def _living(self, uuid: str) -> EngineProcess:
        engine = self._engines.get(uuid)
        if engine is None or not engine.alive:
            raise EngineError(f"engine {uuid} is gone")
        return engine

    def _expect_end(self, uuid: str, message: Message) -> None:
        if uuid in self._engines and uuid not in self._overdue:
            self._overdue[uuid] = (time.monotonic() + KILL_AFTER, message)
            # if nobody reads them any more, nobody replaces engines either
            with suppress(OSError):
                self._orders.give(Dismiss(uuid))

    def _reply(self, message: Message, content: dict[str, Any]) -> None:
        uuid = message.idents[1].decode(errors="replace")
        header = self._session.header(message.header.msg_type.replace("_request", "_reply"))
        header.session = uuid  # in the name of the engine
        frames = self._session.frame(
            header,
            content,
            parent=message.header_frame,
            metadata={"engine": uuid, "status": content["status"]},
        )
        send(self._control, [*message.idents, *frames])

    # ---- engines that do not end

    def _patience(self) -> int | None:
        """Milliseconds until somebody has to be killed; None for ever."""
        first = min((when for when, _ in self._overdue.values()), default=_KILLED)
        return None if first == _KILLED else max(0, math.ceil((first - time.monotonic()) * 1000))

    def _kill_overdue(self) -> None:
        now = time.monotonic()
        for uuid, (when, message) in self._overdue.items():
            if when > now:
                continue
            if self._engines[uuid].send_signal(signal.SIGKILL):
                self._log.warning("Killed an engine that did not end when it was told to")
            if message.header.msg_type == "shutdown_request":
                self._reply(message, {"status": "ok", "restart": False})
            # the supervisor will tell of its death
            self._overdue[uuid] = (_KILLED, message)

    def _see_to_orphans(self) -> None:
        """Wait for engines that are left, and kill those that do not notice they are orphans."""
        deadline = time.monotonic() + KILL_AFTER
        while (left := [e for e in self._engines.values() if e.alive]) and (
            time.monotonic() < deadline
        ):
            time.sleep(_LOOK)
        for uuid, engine in self._engines.items():
            killed = engine in left and engine.send_signal(signal.SIGKILL)
            # those that ended by themselves have said so, if they could; the hub heeds the first
            reason = "its supervisor died, and it was killed" if killed else "its supervisor died"
            self._report(Died(uuid, None, reason))

    def _close(self) -> None:
        if refused(self._registration_url):
            self._context.destroy(linger=0)
        for socket in (*self._connections, self._registration, self._control):
            socket.close()
        # waits until the last messages have left
        self._context.term()
