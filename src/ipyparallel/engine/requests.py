"""Requests: taken from the channels one at a time, and run in the kernel.

All runs in the main thread. What the control thread asks is the matter of the `ledger`.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import copy_context
from functools import partial
from typing import Any

import zmq

from ..protocol.framing import InvalidMessage
from ..protocol.kept_replies import KeptReplies
from ..protocol.messages import (
    COMM_MESSAGES,
    UNREADABLE,
    EngineWaiting,
    decode_request_metadata,
)
from ..protocol.session import Message, Session
from ..transport.channel import Channel
from ..transport.sockets import receive
from . import holdings
from .apply import ApplyRunner
from .forked import exit_if_forked
from .jupyter import ReplyStream, as_dict
from .kernel import IPythonParallelKernel
from .ledger import Ledger, Turn
from .nesting import Nesting, depth_of
from .output import KernelSession


class Requests:
    """Runs requests in the order in which they come.

    Parameters
    ----------
    kernel : IPythonParallelKernel
    session : Session
        Verifies requests and makes replies.

    Attributes
    ----------
    ledger : Ledger
        What the control thread may ask about them.
    nesting : Nesting
        Runs those that need not wait, while the running one does.
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
        self.ledger = Ledger()
        self._runner = ApplyRunner(kernel, session, self.ledger)
        self._loop = asyncio.get_running_loop()
        #: The channel of Jupyter front ends, if there is one.
        self._front_ends: Channel | None = None
        self.nesting = Nesting(self, self.ledger, self._loop)
        #: The request that is running; the innermost one.
        self.current: Message | None = None
        #: The channel of the request that is running, or ran last.
        self._running: Channel | None = None
        self._queue: deque[tuple[Channel, Message]] = deque()
        #: The last replies to clients, by whether they were to balanced tasks; nothing, if the
        #: controller is not ours, which would not ask for them.
        self._kept: dict[bool, KeptReplies] = {}
        #: The direct requests that had come before the engine came back to its controller: clients
        #: may send them again, as they cannot know.
        self._before_return: set[str] = set()
        self._calls: deque[Callable[[], None]] = deque()
        self._stopped = False

    def listen(self, *, direct: zmq.Socket[bytes], tasks: zmq.Socket[bytes]) -> None:
        """Take requests from these sockets from now on."""
        self.direct = Channel(direct, lambda frames: self._on_request(self.direct, frames))
        self.tasks = Channel(tasks, lambda frames: self._on_request(self.tasks, frames))
        self.nesting.watch(direct, tasks)

    def keep_replies(self) -> None:
        """From now on, keep the last replies, to send them again if the connection breaks."""
        self._kept = {balanced: KeptReplies() for balanced in (False, True)}

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
        self.nesting.close()

    # ---- what comes

    def _on_request(self, channel: Channel, frames: list[Any]) -> None:
        self._take_in(channel, frames)
        if not self.busy:
            self._pump()
        elif self.nesting.awaited:
            self.nesting.run_all()

    def _take_in(self, channel: Channel, frames: list[Any]) -> None:
        try:
            message = self._session.parse(frames)
        except InvalidMessage as e:
            self._log.warning("Dropped a request: %s", e)
            return
        if message.header.msg_type == "holding_request":
            self._tell_holdings(channel, message)
        elif not self._before_return or not self._is_known(channel, message):
            self._queue.append((channel, message))

    # ---- replies

    def _reply(self, channel: Channel, message: Message, frames: list[Any]) -> None:
        if self._kept and channel is not self._front_ends:
            is_balanced = channel is self.tasks
            self._kept[is_balanced].keep(holdings.name_of(message, is_balanced), frames)
        channel.send(frames)

    def _tell_holdings(self, channel: Channel, message: Message) -> None:
        """The connection broke: say what has arrived, and send again what may not have."""
        is_balanced = channel is self.tasks
        try:
            holdings.answer(
                message,
                self._session,
                channel.send,
                held=self._held(channel),
                kept=self._kept.get(is_balanced) or KeptReplies(),
                has_begun=self.ledger.has_begun,
            )
        except ValueError as e:
            self._log.warning("Refused a request: %s", e)

    def _held(self, channel: Channel) -> list[str]:
        """What came on a channel and has no answer yet, in its order, as its sender calls it.

        From any thread; but what has come since the main thread looked last is known to that alone.
        """
        is_balanced = channel is self.tasks
        queued = [message for where, message in list(self._queue) if where is channel]
        waiting = holdings.names_of(queued, is_balanced)
        return [
            *self.ledger.running(is_balanced),
            *(name for name in waiting if not self.ledger.is_taken_back(name)),
        ]

    def returned(self, when: float) -> None:
        """The engine has come back to its controller, at this time: send the last replies again.

        Another run of the controller may not have them, and nobody else asks for those.
        """
        self._before_return = {*self.ledger.begun(), *self._held(self.direct)}
        for is_balanced, kept in self._kept.items():
            channel = self.tasks if is_balanced else self.direct
            for frames in kept.sent_before(when):
                channel.send(holdings.signed_again(self._session, frames))

    def _is_known(self, channel: Channel, message: Message) -> bool:
        """Whether a direct request came before, and is sent again; it is answered, or will be."""
        msg_id = message.header.msg_id
        if channel is not self.direct or msg_id not in self._before_return:
            return False
        frames = self._kept[False].get(msg_id) if self._kept else None
        if frames is not None:
            channel.send(holdings.signed_again(self._session, frames))
        return frames is not None or msg_id in self._held(channel)

    def held(self) -> tuple[list[str], list[str]]:
        """The direct requests and the balanced tasks that have no answer yet; from any thread."""
        return self._held(self.direct), self._held(self.tasks)

    def answered(self) -> tuple[list[str], list[str]]:
        """The direct requests and the balanced tasks whose replies will be sent again; as above."""
        direct, balanced = (self._kept.get(is_balanced) for is_balanced in (False, True))
        return (direct.names() if direct else [], balanced.names() if balanced else [])

    # ---- running

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
            turn = self._begin(channel, message)
            if turn is Turn.SKIP:
                continue
            if turn is Turn.ABORT:
                self._reply(channel, message, self._runner.abort(message))
            elif message.header.msg_type == "apply_request":
                self.busy = True
                self.current = message
                try:
                    self._reply(channel, message, self._run(message))
                finally:
                    self.current = None
                    self.busy = False
            else:
                self.busy = True
                self.current = message
                task = self._loop.create_task(self._handle(channel, message))
                task.add_done_callback(self._handled)
                return

    def _begin(self, channel: Channel, message: Message) -> Turn:
        is_balanced = channel is self.tasks
        name = holdings.name_of(message, is_balanced)
        return self.ledger.begin(message.header.msg_id, is_balanced, name)

    def _run(self, message: Message) -> list[Any]:
        """Run a call; the frames of the reply."""
        try:
            reply = self._runner.run(message)
        except BaseException as e:  # noqa: BLE001  (whatever it was, there must be a reply)
            self._log.error("A call failed inside the engine", exc_info=e)
            reply = self._runner.refuse(message, e)
        finally:
            self.ledger.end()
        exit_if_forked()
        return reply

    def _handled(self, task: asyncio.Task[None]) -> None:
        self.ledger.end()
        if self.current is not None:
            self._count(self.current)  # of what has no count in its reply
        self.current = None
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
            if self.ledger.top_is_cancelled():
                self._reply(channel, message, self._runner.abort(message, self._count(message)))
                return
            self._log.error("A request failed inside the engine", exc_info=e)
            # if the reply was sent before, the client does not wait for this one any more
            self._refuse(channel, message, e)

    def _refuse(self, channel: Channel, message: Message, error: BaseException) -> None:
        """Answer that a message could not be handled, if it is one that is answered."""
        if message.header.msg_type not in COMM_MESSAGES:
            refusal = self._runner.refuse(message, error, self._count(message))
            self._reply(channel, message, refusal)

    def _count(self, message: Message) -> int:
        """How much output it has caused."""
        session: KernelSession = self._kernel.session
        return session.end_count(message.header.msg_id)

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
            stream = ReplyStream(partial(self._reply, channel, message))
            result = handler(stream, message.idents, request)
            if inspect.isawaitable(result):
                await result
        finally:
            kernel.post_handler_hook()
        kernel.flush_output()
        if not counted:
            kernel._publish_status("idle", "shell")

    # ---- running while another one waits; see `nesting`

    def read(self) -> None:
        """Take in what has come, while the loop does not run."""
        self.direct.read()
        self.tasks.read()

    def take_nested(self, deeper_than: int) -> tuple[Channel, Message] | None:
        """Take the next call out of the queue that need not wait for the running request to end.

        That is any balanced one, and those that a task sent to this engine itself.

        Parameters
        ----------
        deeper_than : int
            Only those with more tasks above them; -1 for any.
        """
        if self._stopped:
            return None
        for at, (channel, message) in enumerate(self._queue):
            if message.header.msg_type != "apply_request" or channel is self._front_ends:
                continue
            is_balanced = channel is self.tasks
            if (is_balanced and deeper_than < 0) or depth_of(message) > max(0, deeper_than):
                del self._queue[at]
                return channel, message
        return None

    def run_nested(self, channel: Channel, message: Message) -> None:
        """Run a call, or answer that it was aborted, while the running request waits."""
        outer = self._running, self.current
        with self._kernel.set_aside():
            self._running, self.current = channel, message
            try:
                # what it changes in its context is not seen by the outer one
                copy_context().run(self._answer, channel, message)
            finally:
                self._running, self.current = outer
        self._kernel.cancel_awaited()

    def _answer(self, channel: Channel, message: Message) -> None:
        turn = self._begin(channel, message)
        if turn is Turn.ABORT:
            self._reply(channel, message, self._runner.abort(message))
        elif turn is Turn.RUN:
            self._reply(channel, message, self._run(message))

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """Within this context the running request waits for others.

        If the scheduler sent it, it is told, to send others.
        """
        message = self.current if self._running is self.tasks else None
        if message is None:
            yield
            return
        msg_id = message.header.msg_id
        self._tell(EngineWaiting(msg_id, True))
        try:
            yield
        finally:
            self._tell(EngineWaiting(msg_id, False))

    def _tell(self, content: EngineWaiting) -> None:
        self.tasks.send(self._session.message("engine_waiting", content))

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
        self.ledger.abort(
            m.header.msg_id
            for channel, m in self._queue
            if channel in channels and _is_execution(m)
        )

    def between(self, call: Callable[[], None]) -> None:
        """Call this in the main thread, when no request is running. From any thread."""
        self._calls.append(call)
        self._loop.call_soon_threadsafe(self._run_calls)

    def _run_calls(self) -> None:
        if not self.busy:
            self._pump()


def _is_execution(message: Message) -> bool:
    return message.header.msg_type == "execute_request"
