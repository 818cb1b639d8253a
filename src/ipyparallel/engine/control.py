"""The control channel: served by a thread of its own, while the main thread runs user code."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

import zmq

from ..error import describe_exception
from ..protocol.kept_replies import KeptReplies
from ..protocol.messages import UNREADABLE, CancelRequest
from ..protocol.session import Message, Session
from ..transport.channel import Channel
from ..transport.liveness import Patience, is_connected, refused
from ..transport.sockets import HUB
from . import holdings
from .signals import parse_signal

#: Seconds between looks for a controller that was lost.
_LOOK = 0.25

#: Seconds that an engine waits for a controller that will not come back: whose process is gone, or
#: of which the network says nothing. The latter are more than that waits for the engine, which may
#: come back all the same.
_REFUSED_FOR = 1.0
_SILENT_FOR = 120.0

#: Bytes of replies that are kept, to be sent again if the connection breaks. They are small.
_KEPT_BYTES = 1 << 18

#: Seconds between a new connection and the news of it.
_SETTLED = 0.1

#: Seconds that user code which is running when the engine is told to stop has to end.
STOP_GRACE = 1.0


#: What has no reply, or another one.
_UNANSWERED = ("controller_stopping", "holding_request")


class Main(Protocol):
    """What the control thread asks of the engine's main thread. All of it is thread-safe."""

    def abort(self, msg_ids: list[str] | None) -> None:
        """Do not run these requests; None: none of those queued."""

    def cancel(
        self, msg_ids: list[str], interrupt: Callable[[], None] | None, silently: bool
    ) -> dict[str, str]:
        """Interrupt these requests if they run, or do not run them; where each of them is."""

    def take_back(self, msg_ids: list[str]) -> list[str]:
        """Do not run those of these requests that have not begun; which these are."""

    def between_tasks(self, call: Callable[[], None]) -> None:
        """Have the main thread call this when no request is running."""

    def clear(self) -> None:
        """Empty the namespace; in the main thread."""

    def kernel_info(self) -> dict[str, Any]:
        """What a kernel tells about itself."""

    def stop(self, reason: str) -> None:
        """End the engine."""

    def come_back(self) -> None:
        """Register again."""

    def report_end(self, reason: str) -> None:
        """Tell the hub, not through the main thread, that the engine ends."""


@dataclass(slots=True)
class Request:
    """A request, and the way back."""

    message: Message
    content: dict[str, Any]
    _channel: Channel
    _session: Session
    _kept: KeptReplies
    _unanswered: dict[str, None]

    def reply(self, content: Any) -> None:
        """Answer it."""
        frames = self._session.message(
            self.message.header.msg_type.replace("_request", "_reply"),
            content,
            parent=self.message.header_frame,
            metadata={"engine": self._session.session_id, "status": content["status"]},
        )
        frames = [*self.message.idents, *frames]
        msg_id = self.message.header.msg_id
        self._unanswered.pop(msg_id, None)
        self._kept.keep(msg_id, frames)
        self._channel.send(frames)


def _ids(msg_ids: Any) -> list[str]:
    """Message ids as a request names them."""
    if msg_ids is None:
        return []
    if not isinstance(msg_ids, list) or not all(isinstance(m, str) for m in msg_ids):
        raise TypeError(f"msg_ids must be a list of message ids, not {msg_ids!r}")
    return msg_ids


class ControlThread:
    """Answers control requests, and notices when the controller or the supervisor is gone.

    Parameters
    ----------
    socket : zmq.Socket
        The control DEALER.
    monitor : zmq.Socket
        Tells about the connection to the controller; see `liveness.watch`.
    connections : sequence of zmq.Socket
        Tell of connections on the channels where requests come; see `liveness.watch_connections`.
    controller : str
        Address of the controller's registration channel.
    patience : float
        Seconds that the controller may take to come back; 0: when it is gone, it is gone.
    lifeline : int or None
        A descriptor that becomes readable when the supervisor dies.
    """

    def __init__(
        self,
        main: Main,
        session: Session,
        socket: zmq.Socket[bytes],
        monitor: zmq.Socket[bytes],
        connections: Sequence[zmq.Socket[bytes]] = (),
        *,
        controller: str,
        patience: float = 0.0,
        lifeline: int | None,
        log: logging.Logger,
    ) -> None:
        self._main = main
        self._session = session
        self._socket = socket
        self._monitor = monitor
        self._controller = controller
        self._lifeline = lifeline
        self._log = log
        self._patience = Patience()
        self.be_patient(patience)
        self._connections = connections
        self._hello: asyncio.TimerHandle | None = None
        #: The controller's first.
        self._channels: list[Channel] = []
        self._watched: list[Channel] = []
        self._kept = KeptReplies(_KEPT_BYTES)
        #: Ids of requests that have come.
        self._unanswered: dict[str, None] = {}
        #: The control thread's.
        self.loop = self._loop = asyncio.new_event_loop()
        self._main_thread = threading.main_thread()
        self._thread = threading.Thread(target=self._run, name="control", daemon=True)
        self._handlers: dict[str, Callable[[Request], None]] = {
            "abort_request": self._abort,
            "cancel_request": self._cancel,
            "clear_request": self._clear,
            "controller_stopping": self._controller_stops,
            "holding_request": self._tell_holdings,
            "interrupt_request": self._interrupt,
            "kernel_info_request": self._kernel_info,
            "recall_request": self._recall,
            "return_request": self._come_back,
            "shutdown_request": self._shutdown,
            "signal_request": self._signal,
        }

    def start(self) -> None:
        """Begin to serve."""
        self._thread.start()

    def send(self, frames: list[Any]) -> None:
        """Send a message on the control channel; from any thread."""
        self._loop.call_soon_threadsafe(lambda: self._channels[0].send(frames))

    def close(self) -> None:
        """Stop serving; from the main thread, when it has ended its own work."""
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()

    def stop_in_any_case(self, reason: str) -> None:
        """End the engine, whether its main thread obeys or not; from any thread."""
        self._main.stop(reason)
        with suppress(RuntimeError):  # the loop is closed: the engine is ending
            self._loop.call_soon_threadsafe(self._stop, reason)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._listen(self._socket)
        monitor = Channel(self._monitor, self._on_monitor, self._loop)
        self._watch_connections()
        if self._lifeline is not None:
            self._loop.add_reader(self._lifeline, self._on_supervisor_gone)
        try:
            self._loop.run_forever()
        finally:
            for channel in self._channels:
                channel.close()
            for channel in (monitor, *self._watched):
                channel.close()
            self._loop.close()

    # ---- requests

    def listen(self, socket: zmq.Socket[bytes]) -> None:
        """Take requests from another socket, too; from any thread."""
        self._loop.call_soon_threadsafe(self._listen, socket)

    def _listen(self, socket: zmq.Socket[bytes]) -> None:
        channel = Channel(socket, lambda frames: self._on_message(channel, frames), self._loop)
        self._channels.append(channel)

    def _on_message(self, channel: Channel, frames: list[Any]) -> None:
        try:
            message = self._session.parse(frames)
            content = message.content()
            if not isinstance(content, dict):
                raise ValueError(f"content of {message.header.msg_type} is not an object")
        except UNREADABLE as e:
            self._log.warning("Dropped a message on the control channel: %s", e)
            return
        request = Request(message, content, channel, self._session, self._kept, self._unanswered)
        if message.header.msg_type not in _UNANSWERED:
            self._unanswered[message.header.msg_id] = None
        handler = self._handlers.get(message.header.msg_type)
        try:
            if handler is None:
                raise ValueError(f"an engine does not know {message.header.msg_type!r}")
            handler(request)
        except (ValueError, TypeError, KeyError, AttributeError, OSError) as e:
            self._log.warning("Refused a %s: %s", message.header.msg_type, e)
            request.reply(describe_exception(e))

    def _abort(self, request: Request) -> None:
        msg_ids = request.content.get("msg_ids")
        if isinstance(msg_ids, str):
            msg_ids = [msg_ids]
        self._main.abort(_ids(msg_ids) or None)
        request.reply({"status": "ok"})

    def _cancel(self, request: Request) -> None:
        content = request.message.read_content(CancelRequest)
        interrupt = partial(self._kill, signal.SIGINT) if content.interrupt else None
        outcomes = self._main.cancel(content.msg_ids, interrupt, content.silently)
        request.reply({"status": "ok", "outcomes": outcomes})

    def _clear(self, request: Request) -> None:
        def clear() -> None:
            reply: dict[str, Any] = {"status": "ok"}
            try:
                self._main.clear()
            except Exception as e:  # noqa: BLE001  (whatever it was, there must be a reply)
                self._log.warning("The namespace could not be emptied: %s", e)
                reply = describe_exception(e)
            self._loop.call_soon_threadsafe(request.reply, reply)

        self._main.between_tasks(clear)

    def _recall(self, request: Request) -> None:
        returned = self._main.take_back(_ids(request.content["msg_ids"]))
        request.reply({"status": "ok", "returned": returned})

    def _interrupt(self, request: Request) -> None:
        self._kill(signal.SIGINT)
        request.reply({"status": "ok"})

    def _kernel_info(self, request: Request) -> None:
        request.reply({"status": "ok", **self._main.kernel_info()})

    def _signal(self, request: Request) -> None:
        # only where no agent does this; see `agent`
        number = parse_signal(request.content["sig"])
        request.reply({"status": "ok"})
        self._kill(number)

    def _kill(self, number: int) -> None:
        # to the main thread itself, so that a system call it waits in is interrupted
        if hasattr(signal, "pthread_kill") and self._main_thread.ident is not None:
            signal.pthread_kill(self._main_thread.ident, number)
        else:
            os.kill(os.getpid(), number)

    def _shutdown(self, request: Request) -> None:
        request.reply({"status": "ok", "restart": bool(request.content.get("restart"))})
        self._stop("it was shut down")

    # ---- connections that broke

    def _watch_connections(self) -> None:
        for monitor in self._connections:
            known: list[bool] = []

            def on_connected(_: list[Any], known: list[bool] = known) -> None:
                if known:
                    self._reconnected()
                known[:] = [True]

            self._watched.append(Channel(monitor, on_connected, self._loop))

    def _reconnected(self) -> None:
        """There is another connection: what was on its way in the one before is lost.

        Told a little later, once for all that broke at a time. By then the controller knows, too,
        that what it sends takes the new one.
        """
        if self._hello is None:
            self._hello = self._loop.call_later(_SETTLED, self._say_hello)

    def _say_hello(self) -> None:
        self._hello = None
        self._channels[0].send([HUB, *self._session.message("engine_reconnected")])

    def _tell_holdings(self, request: Request) -> None:
        """See `holdings`."""
        holdings.answer(
            request.message,
            self._session,
            self._channels[0].send,
            held=list(self._unanswered),
            kept=self._kept,
            has_begun=lambda name: False,
        )

    def _come_back(self, request: Request) -> None:
        request.reply({"status": "ok"})
        self._main.come_back()

    def be_patient(self, patience: float) -> None:
        """The controller may take so many seconds to come back; 0: it will not."""
        self._patience.refused_for = patience or _REFUSED_FOR
        self._patience.silent_for = patience or _SILENT_FOR

    def _controller_stops(self, request: Request) -> None:
        """It will not come back."""
        self.be_patient(0.0)

    # ---- the end

    def _stop(self, reason: str) -> None:
        self._main.stop(reason)
        self._loop.call_later(STOP_GRACE, self._stop_hard, reason)

    def _stop_hard(self, reason: str) -> None:
        """The main thread is busy with user code that does not end."""
        self._log.warning("Stopping in the middle of a task: %s", reason)
        self._main.report_end(reason)
        os._exit(0)  # as it was told to: this is no failure

    def _on_supervisor_gone(self) -> None:
        assert self._lifeline is not None
        self._loop.remove_reader(self._lifeline)
        self._log.warning("The supervisor is gone; stopping")
        self._stop("its supervisor died")

    def _on_monitor(self, frames: list[Any]) -> None:
        if is_connected(frames):
            self._patience.connected()
        elif not self._patience.waiting:
            self._patience.lost(time.monotonic())
            self._loop.call_later(_LOOK, self._look)

    def _look(self) -> None:
        if not self._patience.waiting:
            return
        if self._patience.is_over(time.monotonic(), refused(self._controller)):
            self._log.warning("The controller is gone; stopping")
            self._stop("its controller is gone")
        else:
            self._loop.call_later(_LOOK, self._look)
