"""Requests: taken from the channels one at a time, and run in the kernel.

All runs in the main thread, but for what the control thread asks.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
import threading
from collections import deque
from collections.abc import Callable
from typing import Any

import zmq

from ..protocol.framing import InvalidMessage
from ..protocol.messages import COMM_MESSAGES, UNREADABLE, decode_request_metadata
from ..protocol.session import Message, Session
from ..transport.channel import Channel
from ..transport.sockets import receive
from .apply import ApplyRunner
from .forked import exit_if_forked
from .jupyter import ReplyStream, as_dict
from .kernel import IPythonParallelKernel
from .output import KernelSession

#: How many ids of aborted requests are kept that have not come; most never will, since a client
#: tells all engines.
_MAX_ABORTED = 10_000


class Requests:
    """Runs requests in the order in which they come.

    Parameters
    ----------
    kernel : IPythonParallelKernel
    session : Session
        Verifies requests and makes replies.
    """

    direct: Channel
    tasks: Channel

    def __init__(
        self, kernel: IPythonParallelKernel, session: Session, log: logging.Logger
    ) -> None:
        #: Whether a request is running.
        self.busy = False
        self._kernel = kernel
        self._session = session
        self._log = log
        self._runner = ApplyRunner(kernel, session)
        self._loop = asyncio.get_running_loop()
        #: The channel of Jupyter front ends, if there is one.
        self._front_ends: Channel | None = None
        #: The channel of the request that is running, or ran last.
        self._running: Channel | None = None
        self._queue: deque[tuple[Channel, Message]] = deque()
        self._calls: deque[Callable[[], None]] = deque()
        self._stopped = False
        #: Ids of requests that must not be run, and are to be answered as aborted.
        self._aborted: dict[str, None] = {}
        self._lock = threading.Lock()
        #: Ids of tasks that the scheduler took back; they are not answered at all.
        self._taken_back: set[str] = set()
        #: The balanced task that is running, or ran last.
        self._begun = ""

    def listen(self, *, direct: zmq.Socket[bytes], tasks: zmq.Socket[bytes]) -> None:
        """Take requests from these sockets from now on."""
        self.direct = Channel(direct, lambda frames: self._on_request(self.direct, frames))
        self.tasks = Channel(tasks, lambda frames: self._on_request(self.tasks, frames))

    def listen_to_kernel(self, shell: zmq.Socket[bytes]) -> None:
        """Take requests of Jupyter front ends from this ROUTER, too."""
        self._front_ends = channel = Channel(
            shell, lambda frames: self._on_request(channel, frames), self._loop
        )

    @property
    def runs_for_front_end(self) -> bool:
        """Whether the request that is running came from a Jupyter front end."""
        return self._front_ends is not None and self._running is self._front_ends

    def stop(self) -> None:
        """Begin no further request; from any thread."""
        self._stopped = True

    def close(self) -> None:
        """Close the channels."""
        self.direct.close()
        self.tasks.close()
        if self._front_ends is not None:
            self._front_ends.close()

    # ---- running

    def _on_request(self, channel: Channel, frames: list[Any]) -> None:
        self._take_in(channel, frames)
        if not self.busy:
            self._pump()

    def _take_in(self, channel: Channel, frames: list[Any]) -> None:
        try:
            message = self._session.parse(frames)
        except InvalidMessage as e:
            self._log.warning("Dropped a request: %s", e)
            return
        self._queue.append((channel, message))

    def _pump(self) -> None:
        """Run what is queued, until something has to be awaited."""
        while (self._queue or self._calls) and not self._stopped:
            if self._calls:
                call = self._calls.popleft()
                try:
                    call()
                except Exception:  # noqa: BLE001  (whatever it was, what is queued must run)
                    self._log.exception("What was to be done between requests failed")
                continue
            channel, message = self._queue.popleft()
            self._running = channel
            msg_id = message.header.msg_id
            if channel is self.tasks and not self._begin(msg_id):
                continue
            if self._is_aborted(msg_id):
                channel.send(self._runner.abort(message))
            elif message.header.msg_type == "apply_request":
                self.busy = True
                try:
                    channel.send(self._run(message))
                finally:
                    self.busy = False
            else:
                self.busy = True
                task = self._loop.create_task(self._handle(channel, message))
                task.add_done_callback(self._handled)
                return

    def _run(self, message: Message) -> list[Any]:
        """Run a call; the frames of the reply."""
        try:
            reply = self._runner.run(message)
        except BaseException as e:  # noqa: BLE001  (whatever it was, there must be a reply)
            self._log.error("A call failed inside the engine", exc_info=e)
            reply = self._runner.refuse(message, e)
        exit_if_forked()
        return reply

    def _handled(self, task: asyncio.Task[None]) -> None:
        self.busy = False
        self._pump()

    async def _handle(self, channel: Channel, message: Message) -> None:
        """Have the kernel handle a Jupyter message, such as ``execute_request``."""
        handler = self._kernel.shell_handlers.get(message.header.msg_type)
        try:
            if handler is None:
                raise ValueError(f"an engine does not know {message.header.msg_type!r}")
            counted = decode_request_metadata(message.metadata_frame).count_output
            request = as_dict(message)
        except UNREADABLE as e:
            self._log.warning("Refused a request: %s", e)
            self._refuse(channel, message, e)
            return
        try:
            await self._run_handler(handler, channel, message, request, counted)
        except BaseException as e:  # noqa: BLE001  (whatever it was, there must be a reply)
            exit_if_forked(e)
            if message.header.msg_type in COMM_MESSAGES:
                # the user's callback was interrupted, or wants to exit
                self._kernel.traceback_of(e)
                return
            self._log.error("A request failed inside the engine", exc_info=e)
            # if the reply was sent before, the client does not wait for this one any more
            self._refuse(channel, message, e)

    def _refuse(self, channel: Channel, message: Message, error: BaseException) -> None:
        """Answer that a message could not be handled, if it is one that is answered."""
        if message.header.msg_type not in COMM_MESSAGES:
            channel.send(self._runner.refuse(message, error))

    async def _run_handler(
        self,
        handler: Callable[..., Any],
        channel: Channel,
        message: Message,
        request: dict[str, Any],
        counted: bool,
    ) -> None:
        kernel = self._kernel
        session: KernelSession = kernel.session
        kernel.set_parent(message.idents, request, "shell")
        if not counted:
            kernel._publish_status("busy", "shell")
        elif message.header.msg_type not in COMM_MESSAGES:
            session.begin_count(message.header.msg_id)
        kernel.pre_handler_hook()
        try:
            result = handler(ReplyStream(channel), message.idents, request)
            if inspect.isawaitable(result):
                await result
        finally:
            kernel.post_handler_hook()
        kernel.flush_output()
        if not counted:
            kernel._publish_status("idle", "shell")

    # ---- not running

    def abort_failed(self) -> None:
        """An execution has failed: abort those that wait behind it.

        A front end's do not wait behind those of clients, nor these behind a front end's.
        """
        if self.runs_for_front_end:
            assert self._front_ends is not None
            self._abort_waiting(self._front_ends)
        else:
            self.abort_executions()

    def abort_executions(self) -> None:
        """Abort the clients' executions that wait."""
        self._abort_waiting(self.direct, self.tasks)

    def _abort_waiting(self, *channels: Channel) -> None:
        for channel in channels:
            while True:
                try:
                    frames = receive(channel.socket)
                except zmq.Again:
                    break
                self._take_in(channel, frames)
        waiting = [
            m.header.msg_id
            for channel, m in self._queue
            if channel in channels and _is_execution(m)
        ]
        with self._lock:
            self._aborted.update(dict.fromkeys(waiting))

    def abort(self, msg_ids: list[str] | None) -> None:
        """Answer these requests as aborted; None: all executions that wait. From any thread."""
        if msg_ids is None:
            self.between(self.abort_executions)
            return
        with self._lock:
            self._aborted.update(dict.fromkeys(msg_ids))
            while len(self._aborted) > _MAX_ABORTED:
                del self._aborted[next(iter(self._aborted))]

    def _is_aborted(self, msg_id: str) -> bool:
        if not self._aborted:
            return False
        with self._lock:
            found = msg_id in self._aborted
            self._aborted.pop(msg_id, None)
            return found

    def _begin(self, msg_id: str) -> bool:
        """Whether a balanced task may run; if so it counts as begun."""
        with self._lock:
            if msg_id in self._taken_back:
                self._taken_back.discard(msg_id)
                return False
            self._begun = msg_id
            return True

    def take_back(self, msg_ids: list[str]) -> list[str]:
        """Do not run those of these tasks that have not begun. From any thread.

        Returns
        -------
        list of str
            Which these are.
        """
        with self._lock:
            # Tasks are begun in the order in which they were sent, and none is sent between the
            # scheduler's asking and our answer. So what comes after the one begun last, which
            # may be before them all, has not begun.
            if self._begun in msg_ids:
                msg_ids = msg_ids[msg_ids.index(self._begun) + 1 :]
            self._taken_back.update(msg_ids)
            return msg_ids

    def between(self, call: Callable[[], None]) -> None:
        """Call this in the main thread, when no request is running. From any thread."""
        self._calls.append(call)
        self._loop.call_soon_threadsafe(self._run_calls)

    def _run_calls(self) -> None:
        if not self.busy:
            self._pump()


def _is_execution(message: Message) -> bool:
    return message.header.msg_type == "execute_request"
