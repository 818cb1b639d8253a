"""From messages that arrived to futures that are done. Runs in the I/O thread."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

from ...error import (
    ClientClosed,
    ControllerLost,
    TaskAborted,
    TaskCancelled,
    engine_died,
)
from ...protocol.framing import InvalidMessage
from ...protocol.messages import (
    COMM_MESSAGES,
    UNREADABLE,
    EngineNotice,
    ReplyMetadata,
    decode_reply_metadata,
)
from ...protocol.session import Message, Session
from .comms import CommRelay
from .engines import EngineTable
from .pure import lost_with, maybe_lost
from .recording import Recorder
from .recovery import Recovery
from .replies import answer_of, result_of
from .resolving import resolve
from .skew import Skew
from .tasks import MessageFuture, TaskTable

_log = logging.getLogger("ipyparallel.client")


class Dispatcher:
    """Finds the task that a message belongs to, and ends it, or adds to it.

    Parameters
    ----------
    session : Session
        Verifies.
    engines : EngineTable
        Kept up to date.
    on_shutdown : callable
        Called when the controller says that it stops, or is found to be gone.
    pure : bool
        Whether the task scheduler does not know which engine has a task; see `pure`.
    """

    def __init__(
        self,
        session: Session,
        engines: EngineTable,
        on_shutdown: Callable[[str], None],
        *,
        pure: bool = False,
    ) -> None:
        self.tasks = TaskTable()
        #: Why nothing can be submitted any more; empty while it can.
        self.lost = ""
        self._lost_as: type[ControllerLost] = ControllerLost
        #: The same in a forked process, where no result comes; empty in the client's own.
        self.forked = ""
        self._session = session
        self._engines = engines
        self._on_shutdown = on_shutdown
        self._pure = pure
        #: Takes what belongs to widgets; None outside of an IPython kernel.
        self.comms: CommRelay | None = None
        #: By the ids of queries that may have several answers: called with each, says whether it
        #: was the last.
        self.listeners: dict[str, Callable[[Message], bool]] = {}
        self.recorder = Recorder()
        self.skew = Skew()
        #: Sees to what was lost with a connection.
        self.recovery: Recovery | None = None

    # ---- submitting, in any thread

    def expect(
        self,
        tasks: Sequence[MessageFuture],
        channel: str = "",
        messages: Sequence[list[Any]] | None = None,
    ) -> None:
        """Add tasks that are about to be sent.

        Parameters
        ----------
        channel : str
            Where; empty if that is not known.
        messages : sequence of lists of frames, optional
            What is to be kept of them as long as they are pending.

        Raises
        ------
        ControllerLost
            The controller is gone.
        """
        if self.comms is not None:
            self.comms.submitted(tasks)
        with self.tasks.lock:
            self.check()
            for task in tasks:
                task.channel = channel
                self.tasks.add(task)
            if messages is not None:
                for task, frames in zip(tasks, messages, strict=True):
                    self.tasks.keep(task, frames)

    def keep(self, task: MessageFuture, channel: str, frames: list[Any] | None) -> None:
        """A task that was expected before is about to be sent; keep this of it."""
        with self.tasks.lock:
            task.channel = channel
            if frames is not None and task.msg_id in self.tasks.pending:
                self.tasks.keep(task, frames)

    def check(self) -> None:
        """Raise `ControllerLost` if nothing can be submitted any more."""
        if self.lost:
            raise self._lost_as(self.lost)

    def withdraw(self, tasks: Sequence[MessageFuture]) -> None:
        """Take tasks out that could not be sent after all."""
        with self.tasks.lock:
            for task in tasks:
                self.tasks.end(task.msg_id)

    # ---- replies

    def _read(self, frames: list[Any]) -> Message | None:
        try:
            return self._session.parse(frames)
        except InvalidMessage as e:
            _log.warning("Dropped a message: %s", e)
            return None

    def on_reply(self, channel: str, frames: list[Any]) -> None:
        """See `connection.Inbox`."""
        now = time.time()
        message = self._read(frames)
        if message is None:
            return
        try:
            msg_id = message.parent.msg_id
            metadata = decode_reply_metadata(message.metadata_frame)
        except UNREADABLE as e:
            _log.warning("Dropped a reply: %s", e)
            return
        if channel == "query" and (listener := self.listeners.get(msg_id)) is not None:
            if listener(message):
                self.listeners.pop(msg_id, None)
            return
        with self.tasks.lock:
            task = self.tasks.end(msg_id)
        if task is None:
            _log.debug("Dropped a reply to %s, which is not waited for", msg_id)
            return
        try:
            if channel in ("mux", "task") and task.header.msg_type != "cancel_request":
                self._note_reply(task, message, metadata, now)
                result, error = result_of(task, message)
            else:
                result, error = answer_of(task, message, by_hub=channel == "query")
        except BaseException as e:  # noqa: BLE001  (unpickling may raise anything, SystemExit too)
            result, error = None, e
        self._end(task, result, error)

    def told(self, task: MessageFuture, message: Message, received: float) -> None:
        """End a task by its reply, of which the hub tells, unless it has ended.

        Parameters
        ----------
        received : float
            When the hub has seen it: seconds since the epoch.
        """
        with self.tasks.lock:
            if self.tasks.end(task.msg_id) is None:
                return
        try:
            metadata = decode_reply_metadata(message.metadata_frame)
            self._note_reply(task, message, metadata, received)
            result, error = result_of(task, message)
        except BaseException as e:  # noqa: BLE001  (as above)
            result, error = None, e
        task.output_expected = task.output_seen  # the hub has told of it, too
        task.told = True
        self._end(task, result, error)

    def _end(self, task: MessageFuture, result: Any, error: BaseException | None) -> None:
        if error is not None and task.reply_metadata is not None:
            try:
                self.skew.explain(error, task, task.reply_metadata.engine)
            except Exception:  # noqa: BLE001  (a user's may not even tell its text)
                _log.exception("An error could not be explained")
        if task.cancelling is None or error is None or not task.cancelling.takes(task, error):
            resolve(task, result, error)
        task.check_output()

    def _note_reply(
        self, task: MessageFuture, message: Message, metadata: ReplyMetadata, now: float
    ) -> None:
        uuid = metadata.engine
        engine_id = self._engines.id_of(uuid) if uuid else None
        if isinstance(metadata.output_count, int):
            task.output_expected = metadata.output_count
        elif not uuid or metadata.status == "aborted":
            task.output_expected = 0  # no engine ran it
        if uuid and engine_id is None:
            task.output_expected = task.output_seen  # it has left, and the rest of its output too
            if isinstance(metadata.engine_info, dict):
                engine_id = metadata.engine_info.get("engine_id")
        task.replied(message.header, metadata, engine_id, now)

    # ---- without a reply

    def fail(self, task: MessageFuture, error: BaseException) -> None:
        """End a task here, unless it has ended."""
        with self.tasks.lock:
            if self.tasks.end(task.msg_id) is None:
                return
        _fail(task, error)

    def end_cancelled(self, task: MessageFuture, where: str, error: TaskAborted) -> bool:
        """End a task that was cancelled, or aborted; whether it had not ended before.

        Parameters
        ----------
        where : str
            Where it was; see `Cancellation`.
        """
        with self.tasks.lock:
            if self.tasks.end(task.msg_id) is None and task.held is None:
                return False
        if task.done():
            return False
        task.held = None
        task.cancelled_where = where
        task.failed(time.time(), "aborted")
        if isinstance(error, TaskCancelled):
            has_ended = task.set_cancelled(error)
        else:
            has_ended = resolve(task, None, error)
        _end_output(task)
        return has_ended

    # ---- output

    def on_output(self, frames: list[Any]) -> None:
        """See `connection.Inbox`."""
        message = self._read(frames)
        if message is None:
            return
        msg_type = message.header.msg_type
        task = None
        try:
            task = self._task_of(message)
            if task is not None:
                handle = self._status if msg_type == "status" else self._record
                handle(task, message)
        except BaseException as e:  # noqa: BLE001  (unpickling published data may raise anything)
            _log.warning("Dropped a %s message: %s: %s", msg_type, type(e).__name__, e)
        if task is not None:
            # one that is malformed counts, too: nobody shall wait for another in its place
            task.output_seen += 1
            task.check_output()

    def _task_of(self, message: Message) -> MessageFuture | None:
        """The task that has caused a message; None if another client did, or it is forgotten."""
        parent = message.parent
        ours = parent.session == self._session.session_id
        task = self.tasks.find(parent.msg_id) if ours else None
        if self.comms is not None and (task is None or message.header.msg_type in COMM_MESSAGES):
            self.comms.from_engine(message, task)
        return task

    def _record(self, task: MessageFuture, message: Message) -> None:
        if task.told:
            return
        if task.engine_id is None:
            self._note_engine(task, message)
        self.recorder.record(task, message)
        if task.iopub_callbacks:
            _call_back(task, message)

    def _note_engine(self, task: MessageFuture, message: Message) -> None:
        # the scheduler chose it, and only the reply will say which
        uuid = message.metadata().get("engine", "")
        task.engine_id = task.metadata["engine_id"] = self._engines.id_of(uuid)

    def _status(self, task: MessageFuture, message: Message) -> None:
        # only engines that do not count their output say when they are idle
        if message.content()["execution_state"] == "idle" and task.output_expected is None:
            task.output_expected = task.output_seen
            task.check_output()

    # ---- engines and controller come and go

    def on_notice(self, frames: list[Any]) -> None:
        """See `connection.Inbox`."""
        message = self._read(frames)
        if message is None:
            return
        msg_type = message.header.msg_type
        if msg_type == "shutdown_notification":
            self.on_lost("the controller was stopped")
            return
        try:
            notice: EngineNotice = message.read_content(EngineNotice)
        except ValueError as e:
            _log.warning("Dropped a notification: %s", e)
            return
        if msg_type == "registration_notification":
            try:
                self.skew.meet({notice.uuid: (notice.id, notice.versions)})
            finally:  # the user may have warnings raised as errors
                self._engines.add(notice.id, notice.uuid, notice.native, notice.versions)
        elif msg_type == "unregistration_notification":
            self.engine_left(notice)

    def engine_left(self, notice: EngineNotice) -> None:
        """An engine is gone, and what was sent to it comes to nothing."""
        self._engines.remove(notice.id, notice.uuid, notice.reason)
        with self.tasks.lock:
            failed = self.tasks.on_engine(notice.uuid)
            maybe = maybe_lost(self.tasks, notice.id) if self._pure else []
            for task in (*failed, *maybe):
                self.tasks.end(task.msg_id)
        for task in failed:
            error = engine_died(notice.id, task.msg_id, notice.reason)
            self.skew.explain(error, task, notice.uuid)
            _fail(task, error)
        for task in maybe:
            _fail(task, lost_with(task, notice))
        for task in self.tasks.known():
            if task.reply_metadata and task.reply_metadata.engine == notice.uuid:
                _end_output(task)  # the rest of it went with the engine

    def on_away(self, seconds: float) -> None:
        """See `connection.Inbox`."""
        if self.recovery is not None:
            self.recovery.away(seconds)

    def on_back(self) -> None:
        """See `connection.Inbox`."""
        if self.recovery is not None:
            with suppress(ControllerLost):  # closed meanwhile; who waits is told by that
                self.recovery.begin()

    def on_closed(self) -> None:
        """The client was closed."""
        if not self.lost:
            self._lost_as = ClientClosed
        self.on_lost("Connections have been closed.")

    def on_forked(self) -> None:
        """See `connection.Inbox`. What is pending stays so: it is the parent's."""
        self.tasks.lock = threading.Lock()
        self.lost = self.forked = (
            "this client was made by the process from which this one was forked, and only that can"
            " use it; make another Client here"
        )
        self._lost_as = ClientClosed

    def on_lost(self, reason: str) -> None:
        """See `connection.Inbox`."""
        with self.tasks.lock:
            if self.lost:
                return
            self.lost = reason
            failed = self.tasks.drain()
            self.listeners.clear()
        for task in failed:
            _fail(task, self._lost_as(f"task {task.msg_id} has no result: {reason}"))
        for task in self.tasks.known():
            _end_output(task)
        self._engines.wake()
        self._on_shutdown(reason)


def _call_back(task: MessageFuture, message: Message) -> None:
    as_dict = message.as_dict()
    for callback in list(task.iopub_callbacks):
        try:
            callback(as_dict)
        except BaseException:  # noqa: BLE001  (a user's; the I/O thread must go on)
            _log.exception("A callback for output failed")


def _end_output(task: MessageFuture) -> None:
    task.output_expected = task.output_seen
    task.check_output()


def _fail(task: MessageFuture, error: BaseException) -> None:
    task.failed(time.time())
    _end_output(task)
    resolve(task, None, error)
