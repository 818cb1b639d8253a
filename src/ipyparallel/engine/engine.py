"""The engine: its beginning, its parts, and its end."""

from __future__ import annotations

import asyncio
import logging
import signal
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Any

from IPython.core.profiledir import ProfileDir
from tornado.ioloop import IOLoop
from traitlets.config import Configurable

from .._host import set_host
from ..error import EngineError, unwrap_exception
from ..protocol.connection import EngineInfo
from ..protocol.framing import InvalidMessage
from ..protocol.messages import (
    RegistrationReply,
    RegistrationRequest,
    UnregistrationRequest,
)
from ..protocol.profiles import security_folder
from ..protocol.session import Session
from ..protocol.versions import own_versions
from ..transport.addresses import reachable
from ..transport.heart import Heart
from ..transport.liveness import refused
from ..transport.sockets import HUB, receive, send
from .control import ControlThread
from .datapub import ZMQDataPublisher
from .forked import ForkedChild
from .interrupts import may_interrupt
from .kernel import IPythonParallelKernel
from .kernel_ports import KernelPorts
from .nesting import lineage_of_subtasks
from .output import KernelSession
from .redirect import redirect_output
from .report import report_death
from .requests import Requests
from .returning import Return
from .stopping import EngineStopping
from .wiring import EngineSockets, connect, wait_readable


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
    replaces : str
        Uuid of the engine, which is dead, that had this id.
    resources : mapping, optional
        How much it has of what tasks may ask for, by name.
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
    output_limit : int
        Bytes that a task may write to each stream, or display; 0 for any number.
    max_message_size : int, optional
        Most bytes of a result; see `check_size`.
    """

    def __init__(
        self,
        info: EngineInfo,
        uuid: str,
        *,
        profile: Path,
        log: logging.Logger,
        engine_id: int | None = None,
        replaces: str = "",
        resources: Mapping[str, float] | None = None,
        timeout: float = 5.0,
        parent: Configurable | None = None,
        lifeline: int | None = None,
        on_registered: Callable[[int], None] | None = None,
        startup: str = "",
        output_limit: int = 0,
        max_message_size: int | None = None,
    ) -> None:
        self.id = -1
        #: See `Host`.
        self.client: Any = None
        self.client_info: dict[str, Any] = {}
        self._startup = startup
        self._output_limit = output_limit
        self._max_message_size = max_message_size
        self._info = info
        self._uuid = uuid
        self._profile = profile
        self._log = log
        self._requested_id = engine_id
        self._replaces = replaces
        self._resources = dict(resources or {})
        self._timeout = timeout
        self._parent = parent
        self._lifeline = lifeline
        self._on_registered = on_registered
        self._interface = reachable(info.interface, info.location)
        self._session = self._new_session()
        self._stop_reason: str | None = None
        self._patience = 0.0

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
        request = self._registration(self._requested_id, replaces=self._replaces)
        send(sockets.registration, self._session.message("registration_request", request))
        # while the controller answers
        kernel = self._make_kernel()
        await self._registered(sockets, kernel)
        if self._startup:
            # what fails in it is shown in the log, and the engine starts all the same
            kernel.shell.run_cell(self._startup)
        redirect_output(kernel, sockets.output, self._output_limit)
        self._kernel = kernel
        self.data_pub = kernel.shell.data_pub = ZMQDataPublisher(kernel=kernel)
        self._requests = Requests(kernel, self._session, self._log)
        kernel.on_abort = self._requests.abort_failed
        kernel.on_exit = partial(self.stop, "its code called exit()")
        kernel.is_cancelled = self._requests.ledger.top_is_cancelled
        kernel.runs_for_front_end = lambda: self._requests.runs_for_front_end
        if self.client_info:
            self._requests.keep_replies()
        self._requests.listen(direct=sockets.direct, tasks=sockets.tasks)
        control = ControlThread(
            self,
            self._new_session(),
            sockets.control,
            sockets.monitor,
            # a published controller would not know what to do with the news
            sockets.connections if self.client_info else (),
            controller=self._url(self._info.registration),
            patience=self._patience,
            lifeline=self._lifeline,
            log=self._log,
        )
        self._control = control
        self._return = Return(
            sockets.context,
            self._new_session(),
            self._url(self._info.registration),
            request=self._return_request,
            returned=self._returned,
            loop=control.loop,
            log=self._log,
        )
        self._kernel_ports = KernelPorts(
            kernel,
            self._requests,
            control,
            context=sockets.context,
            folder=security_folder(self._profile),
            name=self._uuid,
            log=self._log,
        )
        control.start()
        heart = Heart(
            self._url(self._info.hb_ping), self._url(self._info.hb_pong), self._uuid.encode()
        )
        heart.start()
        self._handle_signals(control)
        ForkedChild(kernel).watch()
        set_host(self)
        self._announce(control)
        try:
            await self._stopped.wait()
        finally:
            set_host(None)
            if self.client is not None:
                self.client.close()
            self._say_goodbye(sockets)
            heart.stop()
            control.close()
            self._return.close()
            if not self.client_info:
                for monitor in sockets.connections:
                    monitor.close()
            self._requests.close()
            self._kernel_ports.close()
            for stream in kernel.streams:
                stream.end()
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

    def _registration(self, engine_id: int | None, **more: Any) -> RegistrationRequest:
        return RegistrationRequest(
            self._uuid,
            engine_id,
            reports_ready=True,
            resources=self._resources,
            versions=own_versions(),
            **more,
        )

    def _make_kernel(self) -> IPythonParallelKernel:
        session = KernelSession(self._session, output_limit=self._output_limit)
        # the one of this process, as widgets look for it
        kernel: IPythonParallelKernel = IPythonParallelKernel.instance(
            parent=self._parent,
            session=session,
            ident=self._uuid,
            profile_dir=ProfileDir.create_profile_dir(str(self._profile)),
            max_message_size=self._max_message_size,
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
        self._patience = reply.patience
        if reply.client_info:
            self.client_info = {**reply.client_info, "key": self._info.key}
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

    def _handle_signals(self, control: ControlThread) -> None:
        ledger = self._requests.ledger

        def interrupt(number: int, frame: FrameType | None) -> None:
            is_cancel = ledger.take_signal()
            if is_cancel and not ledger.top_is_cancelled():
                return  # it came too late, or too early
            if may_interrupt(frame):
                raise KeyboardInterrupt
            if not self._kernel.interrupt_awaited() and not is_cancel:
                self._log.warning("Ignoring SIGINT. Terminate with SIGTERM.")

        def terminate(number: int, frame: FrameType | None) -> None:
            control.stop_in_any_case("it was terminated by a signal")
            if may_interrupt(frame):
                # ends what is running; it is answered as interrupted
                raise EngineStopping("was stopped while it ran the task")

        signal.signal(signal.SIGINT, interrupt)
        signal.signal(signal.SIGTERM, terminate)

    def _announce(self, control: ControlThread) -> None:
        """Tell the controller on every channel that this engine can be reached there."""
        self._requests.direct.send([HUB, *self._session.message("engine_ready")])
        # not before: what passes tasks on without a look gives them to whoever is connected
        self._requests.tasks.socket.connect(self._url(self._info.task))
        # with the uuid, which that does not add
        ready = [HUB, self._uuid.encode(), *self._session.message("engine_ready")]
        self._requests.tasks.send(ready)
        control.send([HUB, *self._session.message("engine_ready")])
        self._log.info("Engine %d is ready", self.id)

    # ---- coming back; in the control thread

    def come_back(self) -> None:
        """The controller does not know this engine, and asks for its registration."""
        self._return.begin()

    def _return_request(self) -> RegistrationRequest:
        direct, balanced = self._requests.held()
        answered = self._requests.answered()
        return self._registration(
            self.id,
            returning=True,
            holding=[*direct, *answered[0], *balanced],
            balanced=balanced,
            answered=answered[1],
        )

    def _returned(self, reply: RegistrationReply) -> None:
        if reply.id != self.id:
            self._log.warning("Engine %d is back, and is engine %d now", self.id, reply.id)
            self.id = reply.id
            self._kernel.set_engine_id(reply.id)
            if self._on_registered is not None:
                self._on_registered(reply.id)
        else:
            self._log.info("Engine %d is back", self.id)
        self._control.be_patient(reply.patience)
        self._requests.between(partial(self._requests.returned, time.monotonic()))

    # ---- the end

    def _say_goodbye(self, sockets: EngineSockets) -> None:
        request = UnregistrationRequest(self.id, self._uuid, self._stop_reason or "")
        send(sockets.registration, self._session.message("unregistration_request", request))
        sockets.registration.close()
        self._kernel.flush_output()

    # ---- asked by user code; see `Host`

    def bind_kernel(self, **options: Any) -> str:
        """See `current.bind_kernel`."""
        return self._kernel_ports.open(**options)

    def lineage(self) -> dict[str, Any]:
        """What is said in the metadata of a task that the running one submits."""
        return lineage_of_subtasks(self._requests.current)

    def may_serve(self) -> bool:
        """Whether `serve` may be called."""
        return self._requests.nesting.may_serve()

    def serve(self, done: Callable[[], bool], timeout: float | None) -> bool:
        """Run other requests while the running one waits."""
        return self._requests.nesting.serve(done, timeout)

    def wake(self) -> None:
        """Have `serve` look again."""
        self._requests.nesting.wake()

    def serve_while_awaited(self, future: Future[Any]) -> None:
        """Run other requests while the running one awaits this."""
        self._requests.nesting.serve_while_awaited(future)

    # ---- asked by the control thread; see `control.Main`

    def abort(self, msg_ids: list[str] | None) -> None:
        """Do not run these requests; None: no execution that waits."""
        if msg_ids is None:
            self._requests.between(self._requests.abort_executions)
        else:
            self._requests.ledger.abort(msg_ids)

    def cancel(
        self, msg_ids: list[str], interrupt: Callable[[], None] | None, silently: bool
    ) -> dict[str, str]:
        """Interrupt these requests, or do not run them; where each is."""
        return self._requests.ledger.cancel(msg_ids, interrupt, silently)

    def take_back(self, msg_ids: list[str]) -> list[str]:
        """Do not run those of these tasks that have not begun."""
        return self._requests.ledger.take_back(msg_ids)

    def between_tasks(self, call: Callable[[], None]) -> None:
        """Call this in the main thread, when nothing is running."""
        self._requests.between(call)

    def report_end(self, reason: str) -> None:
        """Tell the hub from this thread."""
        self._kernel_ports.remove_file()
        report_death(self._info, UnregistrationRequest(self.id, self._uuid, reason))

    def kernel_info(self) -> dict[str, Any]:
        """What a kernel tells about itself."""
        return dict(self._kernel.kernel_info)

    def clear(self) -> None:
        """Empty the namespace."""
        self._kernel.shell.reset(new_session=False)

    def stop(self, reason: str) -> None:
        """End the engine."""
        if self._stop_reason is None:
            self._stop_reason = reason
            self._requests.stop()
            self._loop.call_soon_threadsafe(self._stopped.set)
