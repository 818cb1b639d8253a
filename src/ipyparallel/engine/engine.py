"""The engine: takes requests one at a time from its channels and runs them in its kernel."""

from __future__ import annotations

import asyncio
import faulthandler
import inspect
import logging
import signal
import sys
import threading
from collections import deque
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import zmq
from ipykernel.iostream import IOPubThread
from IPython.core.profiledir import ProfileDir
from tornado.ioloop import IOLoop
from traitlets.config import Configurable

from ..error import EngineError, unwrap_exception
from ..protocol.connection import EngineInfo
from ..protocol.framing import InvalidMessage
from ..protocol.messages import (
    UNREADABLE,
    RegistrationReply,
    RegistrationRequest,
    UnregistrationRequest,
    decode,
    decode_request_metadata,
)
from ..protocol.session import Message, Session
from ..transport.addresses import reachable
from ..transport.channel import Channel
from ..transport.heart import Heart
from ..transport.liveness import refused
from ..transport.sockets import HUB, receive, send
from .apply import ApplyRunner
from .control import ControlThread
from .kernel import IPythonParallelKernel
from .output import KernelSession, OutputStream
from .report import report_death
from .wiring import EngineSockets, connect, wait_readable

#: Places of the channels in `Engine._channels`.
_DIRECT, _TASKS = 0, 1


class ReplyStream:
    """A channel as IPython's machinery expects one: something that sends multipart messages."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel

    def send_multipart(self, frames: list[Any], **_: Any) -> None:
        """Send a message."""
        self._channel.send(frames)


class Engine:
    """One engine, from its connection to its end.

    Parameters
    ----------
    info : EngineInfo
        Where the controller is.
    uuid : str
        Name of this engine.
    profile : Path
        Profile folder, for IPython.
    engine_id : int, optional
        The id to ask for.
    timeout : float
        Seconds to wait for the controller.
    parent : Configurable, optional
        Whose configuration the kernel takes.
    lifeline : int, optional
        See `ControlThread`.
    on_registered : callable, optional
        Told the id.
    startup : str
        Code to run before the engine is ready.
    """

    def __init__(
        self,
        info: EngineInfo,
        uuid: str,
        *,
        profile: Path,
        log: logging.Logger,
        engine_id: int | None = None,
        timeout: float = 5.0,
        parent: Configurable | None = None,
        lifeline: int | None = None,
        on_registered: Callable[[int], None] | None = None,
        startup: str = "",
    ) -> None:
        self.id = -1
        self._startup = startup
        self._info = info
        self._uuid = uuid
        self._profile = profile
        self._log = log
        self._requested_id = engine_id
        self._timeout = timeout
        self._parent = parent
        self._lifeline = lifeline
        self._on_registered = on_registered
        self._interface = reachable(info.interface, info.location)
        self._session = self._new_session()
        self._queue: deque[tuple[Channel, ReplyStream, Message]] = deque()
        self._lock = threading.Lock()
        #: Requests that must not be run, and are to be answered as aborted.
        self._aborted: set[str] = set()
        #: Requests that the scheduler took back; they are not answered at all.
        self._taken_back: set[str] = set()
        #: The balanced task that is running, or ran last.
        self._begun = ""
        self._calls: deque[Callable[[], None]] = deque()
        self._busy = False
        self._stop_reason: str | None = None

    def _new_session(self) -> Session:
        return Session(
            self._info.key.encode(),
            session_id=self._uuid,
            signature_scheme=self._info.signature_scheme,
        )

    async def run(self) -> str:
        """Serve until the end.

        Returns
        -------
        str
            Why it ended.

        Raises
        ------
        EngineError
            The controller did not answer, or refused this engine.
        """
        self._loop = asyncio.get_running_loop()
        self._stopped = asyncio.Event()
        sockets = connect(self._info, self._interface, self._uuid)
        send(
            sockets.registration,
            self._session.message(
                "registration_request",
                RegistrationRequest(self._uuid, self._requested_id, reports_ready=True),
            ),
        )
        # while the controller answers
        kernel = self._make_kernel()
        await self._registered(sockets, kernel)
        if self._startup:
            # what fails in it is shown in the log, and the engine starts all the same
            kernel.shell.run_cell(self._startup)
        self._redirect_output(sockets, kernel)
        self._runner = ApplyRunner(kernel, self._session)
        self._kernel = kernel
        kernel.on_abort = self._abort_queued
        kernel.on_exit = self._on_exit
        self._channels = [
            Channel(socket, self._receiver(number))
            for number, socket in enumerate((sockets.direct, sockets.tasks))
        ]
        self._streams = [ReplyStream(channel) for channel in self._channels]
        control = ControlThread(
            self,
            self._new_session(),
            sockets.control,
            sockets.monitor,
            controller=self._url(self._info.registration),
            lifeline=self._lifeline,
            log=self._log,
        )
        control.start()
        heart = Heart(
            self._url(self._info.hb_ping), self._url(self._info.hb_pong), self._uuid.encode()
        )
        heart.start()
        self._handle_signals()
        self._announce(control)
        try:
            await self._stopped.wait()
        finally:
            self._say_goodbye(sockets)
            heart.stop()
            control.close()
            for channel in self._channels:
                channel.close()
            kernel.iopub_thread.stop()
            kernel.iopub_thread.close()
            if refused(self._url(self._info.registration)):
                sockets.context.destroy(linger=0)
            # waits until the last messages have left
            sockets.context.term()
        return self._stop_reason or ""

    def _url(self, port: int) -> str:
        return f"{self._interface}:{port}"

    # ---- beginning and end

    def _make_kernel(self) -> IPythonParallelKernel:
        session = KernelSession(self._session)
        kernel = IPythonParallelKernel(
            parent=self._parent,
            session=session,
            ident=self._uuid,
            profile_dir=ProfileDir.create_profile_dir(str(self._profile)),
            log=self._log,
        )
        kernel.io_loop = IOLoop.current()
        return kernel

    async def _registered(self, sockets: EngineSockets, kernel: IPythonParallelKernel) -> None:
        where = self._url(self._info.registration)
        try:
            async with asyncio.timeout(self._timeout):
                while True:
                    await wait_readable(sockets.registration)
                    reply = self._registration_reply(receive(sockets.registration))
                    if reply is not None:
                        break
                # the controller's subscription: nothing this engine publishes will be lost
                await wait_readable(sockets.output)
        except TimeoutError:
            raise EngineError(
                f"the controller at {where} did not answer within {self._timeout} s;"
                f" is it running, and is the connection file up to date?"
            ) from None
        self.id = reply.id
        kernel.set_engine_id(reply.id)
        if self._on_registered is not None:
            self._on_registered(reply.id)

    def _registration_reply(self, frames: list[Any]) -> RegistrationReply | None:
        try:
            message = self._session.parse(frames)
        except InvalidMessage as e:
            self._log.warning("Dropped a message on the registration channel: %s", e)
            return None
        if message.header.msg_type != "registration_reply":
            return None
        content = message.content()
        if content.get("status") != "ok":
            raise EngineError(f"the controller refused this engine: {unwrap_exception(content)}")
        reply: RegistrationReply = message.read_content(RegistrationReply)
        return reply

    def _redirect_output(self, sockets: EngineSockets, kernel: IPythonParallelKernel) -> None:
        thread = IOPubThread(sockets.output, pipe=True, session=None)
        thread.start()
        session: KernelSession = kernel.session
        kernel.iopub_thread = thread
        kernel.iopub_socket = thread.background_socket
        session.output_sockets = (thread, thread.background_socket)
        kernel.shell.displayhook.pub_socket = kernel.iopub_socket
        kernel.shell.display_pub.pub_socket = kernel.iopub_socket
        faulthandler.enable(sys.__stderr__ or sys.stderr)
        for name in ("stdout", "stderr"):
            stream = OutputStream(session, thread, name, watchfd=False)
            stream.topic = kernel._topic(name)
            setattr(sys, name, stream)

    def _handle_signals(self) -> None:
        def ignore(number: int, frame: Any) -> None:
            self._log.warning("Ignoring SIGINT. Terminate with SIGTERM.")

        def terminate(number: int, frame: Any) -> None:
            self.stop("it was terminated by a signal")
            if self._busy:
                # ends what is running; it is answered as interrupted
                raise KeyboardInterrupt("the engine is being stopped")

        signal.signal(signal.SIGINT, ignore)
        signal.signal(signal.SIGTERM, terminate)

    def _announce(self, control: ControlThread) -> None:
        """Tell the controller on every channel that this engine can be reached there."""
        hub = HUB
        self._channels[_DIRECT].send([hub, *self._session.message("engine_ready")])
        self._channels[_TASKS].send(self._session.message("engine_ready"))
        control.send([hub, *self._session.message("engine_ready")])
        self._log.info("Engine %d is ready", self.id)

    def _say_goodbye(self, sockets: EngineSockets) -> None:
        request = UnregistrationRequest(self.id, self._uuid, self._stop_reason or "")
        send(sockets.registration, self._session.message("unregistration_request", request))
        sockets.registration.close()
        sys.stdout.flush()
        sys.stderr.flush()

    # ---- requests from the channels

    def _receiver(self, number: int) -> Callable[[list[Any]], None]:
        return partial(self._on_request, number)

    def _on_request(self, number: int, frames: list[Any]) -> None:
        try:
            message = self._session.parse(frames)
        except InvalidMessage as e:
            self._log.warning("Dropped a request: %s", e)
            return
        self._queue.append((self._channels[number], self._streams[number], message))
        if not self._busy:
            self._pump()

    def _pump(self) -> None:
        """Run what is queued, until something has to be awaited."""
        while (self._queue or self._calls) and self._stop_reason is None:
            if self._calls:
                self._calls.popleft()()
                continue
            channel, stream, message = self._queue.popleft()
            if channel is self._channels[_TASKS] and not self._begin(message.header.msg_id):
                continue
            if message.header.msg_id in self._aborted:
                self._aborted.discard(message.header.msg_id)
                channel.send(self._runner.abort(message))
            elif message.header.msg_type == "apply_request":
                self._busy = True
                try:
                    channel.send(self._runner.run(message))
                finally:
                    self._busy = False
            else:
                self._busy = True
                task = self._loop.create_task(self._handle(stream, message))
                task.add_done_callback(self._handled)
                return

    def _handled(self, task: asyncio.Task[None]) -> None:
        self._busy = False
        if not task.cancelled() and (error := task.exception()) is not None:
            self._log.error("A request failed inside the engine", exc_info=error)
        self._pump()

    def _begin(self, msg_id: str) -> bool:
        """Whether a balanced task may run; if so it counts as begun."""
        with self._lock:
            if msg_id in self._taken_back:
                self._taken_back.discard(msg_id)
                return False
            self._begun = msg_id
            return True

    async def _handle(self, stream: ReplyStream, message: Message) -> None:
        """Have the kernel handle a Jupyter request, such as ``execute_request``."""
        kernel = self._kernel
        handler = kernel.shell_handlers.get(message.header.msg_type)
        try:
            if handler is None:
                raise ValueError(f"an engine does not know {message.header.msg_type!r}")
            metadata = decode_request_metadata(message.metadata_frame)
            request = self._as_dict(message)
        except UNREADABLE as e:
            self._log.warning("Refused a request: %s", e)
            stream.send_multipart(self._runner.refuse(message, e))
            return
        kernel.set_parent(message.idents, request, "shell")
        session: KernelSession = kernel.session
        if metadata.count_output:
            session.begin_count(message.header.msg_id)
        else:
            kernel._publish_status("busy", "shell")
        kernel.pre_handler_hook()
        try:
            result = handler(stream, message.idents, request)
            if inspect.isawaitable(result):
                await result
        except KeyboardInterrupt:
            self._log.warning("Interrupted between requests")
        finally:
            kernel.post_handler_hook()
        sys.stdout.flush()
        sys.stderr.flush()
        if not metadata.count_output:
            kernel._publish_status("idle", "shell")

    def _on_exit(self) -> None:
        """The user's code called ``exit()``, which in IPython ends the kernel."""
        self.stop("its code called exit()")

    @staticmethod
    def _as_dict(message: Message) -> dict[str, Any]:
        """The message as Jupyter's machinery takes it; raises what decoding may raise."""
        request = {
            "header": decode(message.header_frame),
            "msg_id": message.header.msg_id,
            "msg_type": message.header.msg_type,
            "parent_header": decode(message.parent_frame),
            "metadata": message.metadata(),
            "content": message.content(),
            "buffers": [memoryview(buffer) for buffer in message.buffers],
        }
        for part in ("parent_header", "content"):
            if not isinstance(request[part], dict):
                raise ValueError(f"{part} of {message.header.msg_type} is not an object")
        if message.header.msg_type == "execute_request" and not isinstance(
            request["content"].get("code"), str
        ):
            raise ValueError("content of execute_request has no code")
        return request

    def _abort_queued(self) -> None:
        """An execution failed: abort the executions that wait behind it."""
        for channel in self._channels:
            while True:
                try:
                    frames = receive(channel.socket)
                except zmq.Again:
                    break
                self._on_request(self._channels.index(channel), frames)
        for _, _, message in self._queue:
            if message.header.msg_type == "execute_request":
                self._aborted.add(message.header.msg_id)

    # ---- asked by the control thread

    def abort(self, msg_ids: list[str] | None) -> None:
        """See `control.Main`."""
        if msg_ids is None:
            self.between_tasks(self._abort_queued)
        else:
            self._aborted.update(msg_ids)

    def take_back(self, msg_ids: list[str]) -> list[str]:
        """See `control.Main`."""
        with self._lock:
            # Tasks are begun in the order in which they were sent, and none is sent between the
            # scheduler's asking and our answer. So what comes after the one begun last, which
            # may be before them all, has not begun.
            if self._begun in msg_ids:
                msg_ids = msg_ids[msg_ids.index(self._begun) + 1 :]
            self._taken_back.update(msg_ids)
            return msg_ids

    def between_tasks(self, call: Callable[[], None]) -> None:
        """See `control.Main`."""
        self._calls.append(call)
        self._loop.call_soon_threadsafe(self._run_calls)

    def _run_calls(self) -> None:
        if not self._busy:
            self._pump()

    def report_end(self, reason: str) -> None:
        """See `control.Main`."""
        report_death(self._info, UnregistrationRequest(self.id, self._uuid, reason))

    def clear(self) -> None:
        """See `control.Main`."""
        self._kernel.shell.reset(new_session=False)

    def stop(self, reason: str) -> None:
        """See `control.Main`."""
        if self._stop_reason is None:
            self._stop_reason = reason
            self._loop.call_soon_threadsafe(self._stopped.set)
