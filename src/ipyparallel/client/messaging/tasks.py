"""The tasks a client waits for: each is a future, and all of them are in one table."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future
from datetime import UTC, datetime
from typing import Any

import zmq

from ...protocol.messages import Header, ReplyMetadata, decode_task_metadata, encode
from ...protocol.session import parse_date
from .cancel_requests import Cancelling
from .cancellation import Cancellation
from .cancelling import Canceller, cancel
from .metadata import Metadata
from .recording import StreamText
from .resolving import SafeFuture, is_done, resolve

#: The channels that tasks are sent on, and what the hub has records of.
TASK_CHANNELS = frozenset(("mux", "task"))
RECORDED = frozenset(("apply_request", "execute_request"))

#: Most bytes kept of tasks that are pending, to send them again.
KEPT_LIMIT = 256 << 20


class MessageFuture(SafeFuture):
    """The reply to one message.

    Attributes
    ----------
    msg_id : str
    header : Header
        Of the request.
    engine_uuid : str
        The engine it was sent to; empty as long as the scheduler decides.
    iopub_callbacks : list of callable
        Called with each output message (a dict), after it was recorded, in the client's I/O thread.
    tracker : Future
        Done when the request was handed to ZeroMQ; its result is the ``zmq.MessageTracker`` of a
        request whose memory is tracked, else None.
    """

    #: Cancels tasks, if this is one; a request to the hub, say, cannot be cancelled.
    canceller: Canceller | None = None
    #: Who wants to cancel it, or wanted to.
    cancelling: Cancelling | None = None
    #: What it failed with while it is not known yet whether it did so since it was cancelled.
    held: BaseException | None = None
    #: Whether the hub is asked for it, and no reply expected: of another client's task, say.
    fetched = False
    #: Whether the hub has told how it ended, and of its output: what still comes was told already.
    told = False
    #: The channel it was sent on, or is to be; and what was sent, if that is kept: see `TaskTable`.
    channel = ""
    frames: list[Any] | None = None
    #: Buffers of the answer to a query.
    buffers: Sequence[Any] = ()
    #: Where it was when it was cancelled; see `Cancellation`.
    cancelled_where = ""
    #: Whether it still waits here for its arguments, and whether it has ended so; see `late`.
    unsent = False
    never_sent = False
    #: What the scheduler was told of it, if it has it; encoded.
    flags: bytes | None = None
    #: What became of it if no reply has told that.
    _ended = ""

    def __init__(
        self, header: Header, *, label: str | None = None, engine_uuid: str = "", owner: Any = None
    ) -> None:
        super().__init__()
        self.msg_id = header.msg_id
        self.header = header
        self.label = label
        self.engine_uuid = engine_uuid
        self.engine_id: int | None = None
        #: The view that submitted it.
        self.owner = owner
        self.iopub_callbacks: list[Callable[[dict[str, Any]], None]] = []
        #: Header of the cell that submitted it, in an IPython kernel; see `comms`.
        self.cell: dict[str, Any] | None = None
        #: Of a request whose memory is tracked.
        self.memory: zmq.MessageTracker | None = None
        #: What the reply said, as it came.
        self.reply_header: Header | None = None
        self.reply_metadata: ReplyMetadata | None = None
        self.received: float | None = None
        #: How many output messages have come, and how many there will be, once that is known.
        self.output_seen = 0
        self.output_expected: int | None = None
        #: What streams have written, by their names, and how many bytes of rich output came.
        self.streams: dict[str, StreamText] = {}
        self.rich_output = 0
        #: For each of what was displayed, how many characters each stream had written before.
        self.display_marks: list[dict[str, int]] = []
        self._metadata: Metadata | None = None
        self._output: Future[None] | None = None

    @property
    def is_recorded(self) -> bool:
        """Whether the hub hears of it, so that it can be asked what has become of it."""
        return self.channel in TASK_CHANNELS and self.header.msg_type in RECORDED

    @property
    def output(self) -> Future[None]:
        """Done when all output has come."""
        with _output_lock:
            if self._output is None:
                self._output = SafeFuture()
                self._output.set_running_or_notify_cancel()
                if self.output_done:
                    self._output.set_result(None)
            return self._output

    @property
    def tracker(self) -> Future[Any]:
        """See the class."""
        future: Future[Any] = Future()
        future.set_result(self.memory)
        return future

    @property
    def output_done(self) -> bool:
        """Whether all output has come."""
        return self.output_expected is not None and self.output_seen >= self.output_expected

    def check_output(self) -> None:
        """Resolve `output` if all has come."""
        with _output_lock:
            future = self._output
            if future is None or future.done() or not self.output_done:
                return
        resolve(future)

    @property
    def metadata(self) -> Metadata:
        """What is known so far. The same dict for as long as this future lives."""
        metadata = self._metadata or self._make_metadata()
        if self.streams:
            self.publish_streams()
        return metadata

    def _make_metadata(self) -> Metadata:
        made = Metadata(
            msg_id=self.msg_id,
            engine_uuid=self.engine_uuid or None,
            engine_id=self.engine_id,
        )
        self._fill_request(made)
        with _output_lock:  # the I/O thread makes it, too, and what it records is to be found
            if self._metadata is None:
                self._metadata = made
            made = self._metadata
        self._fill_metadata()
        return made

    def _fill_request(self, metadata: Metadata) -> None:
        date = self.header.date
        metadata.update(label=self.label, submitted=parse_date(date) if date else None)
        if self.flags is not None:
            told = decode_task_metadata(self.flags)
            metadata.update(after=told.after, follow=told.follow)

    def identify(self, header: Header, metadata: Mapping[str, Any]) -> None:
        """The request, of which only the id was known, is this one.

        Parameters
        ----------
        metadata : dict
            The request's.
        """
        self.header = header
        self.label = metadata.get("label")
        self.flags = encode(metadata)
        if self._metadata is not None:
            self._fill_request(self._metadata)

    def publish_streams(self) -> None:
        """Put what streams have written into the metadata."""
        if self._metadata is None:
            self.metadata  # noqa: B018  (makes it, and comes back here)
        else:
            for name, stream in self.streams.items():
                self._metadata[name] = stream.read()

    def _fill_metadata(self) -> None:
        metadata, reply = self._metadata, self.reply_metadata
        if metadata is None or self.received is None:
            return
        metadata["received"] = datetime.fromtimestamp(self.received, UTC)
        if reply is not None and self.reply_header is not None:
            metadata.update(
                engine_uuid=reply.engine or self.engine_uuid or None,
                engine_id=self.engine_id,
                started=parse_date(reply.started) if reply.started else None,
                completed=parse_date(completed) if (completed := self.reply_header.date) else None,
                status=reply.status,
                is_broadcast=reply.is_broadcast,
                is_coalescing=reply.is_coalescing,
            )
            if reply.label is not None:
                metadata["label"] = reply.label
        if self._ended:
            metadata["status"] = self._ended

    def replied(
        self, header: Header, metadata: ReplyMetadata, engine_id: int | None, now: float
    ) -> None:
        """The reply has come; its result is set next."""
        self.reply_header = header
        self.reply_metadata = metadata
        self.received = now
        if engine_id is not None:
            self.engine_id = engine_id
        self._fill_metadata()

    def failed(self, now: float, status: str = "error") -> None:
        """No reply will come, or it does not count; the error is set next."""
        self.received = now
        self._ended = status
        self._fill_metadata()

    def cancel(self) -> Cancellation:  # type: ignore[override]
        """Cancel the task, wherever it is; see `AsyncResult.cancel`."""
        return cancel([self])

    def wait(self, timeout: float | None = None) -> bool:
        """Wait for the reply; whether it came within so many seconds."""
        return is_done(self, timeout)


#: Guards the making of output futures and metadata. One lock for all: it is held for an instant.
_output_lock = threading.Lock()


class TaskTable:
    """The tasks that have not ended, and those that have and that somebody still holds, by id.

    What was sent of a task can be kept until it ends, at most `KEPT_LIMIT` bytes of all together.

    `lock` guards changes, and going through all of them. It is held for an instant, and never
    while a future is resolved.
    """

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.pending: dict[str, MessageFuture] = {}
        self._known: weakref.WeakValueDictionary[str, MessageFuture] = weakref.WeakValueDictionary()
        #: Bytes of what is kept.
        self.kept = 0

    def add(self, task: MessageFuture) -> None:
        """A task was, or is about to be, submitted."""
        self.pending[task.msg_id] = self._known[task.msg_id] = task

    def find(self, msg_id: str) -> MessageFuture | None:
        """The task of that id, if it is pending, or somebody holds it."""
        return self._known.get(msg_id)

    def known(self) -> list[MessageFuture]:
        """All tasks that `find` finds."""
        with self.lock:
            return list(self._known.values())

    def end(self, msg_id: str) -> MessageFuture | None:
        """A task has ended."""
        task = self.pending.pop(msg_id, None)
        if task is not None and task.frames is not None:
            self._drop(task)
        return task

    def keep(self, task: MessageFuture, frames: list[Any]) -> None:
        """Keep what is sent of a task that is pending, if there is room."""
        size = _size(frames)
        if self.kept + size <= KEPT_LIMIT:
            task.frames = frames
            self.kept += size

    def _drop(self, task: MessageFuture) -> None:
        self.kept -= _size(task.frames or ())
        task.frames = None

    def all_pending(self) -> list[MessageFuture]:
        """The tasks that have not ended, in the order in which they were added."""
        with self.lock:
            return list(self.pending.values())

    def forget(self, tasks: Iterable[MessageFuture]) -> None:
        """Do not find these any more, of which nothing is expected; who holds one keeps it."""
        with self.lock:
            for task in tasks:
                self._known.pop(task.msg_id, None)

    def on_engine(self, uuid: str) -> list[MessageFuture]:
        """The pending tasks that were sent to this engine by the client itself."""
        return [task for task in list(self.pending.values()) if task.engine_uuid == uuid]

    def drain(self) -> list[MessageFuture]:
        """All pending tasks; none is left."""
        tasks = list(self.pending.values())
        self.pending.clear()
        for task in tasks:
            self._drop(task)
        return tasks


def _size(frames: Sequence[bytes]) -> int:
    return sum(map(len, frames))


def copies(messages: Sequence[list[Any]]) -> list[list[Any]]:
    """Messages whose frames will not change, whatever becomes of the memory that they are of."""
    # the same buffer may go to many engines
    copied: dict[int, bytes] = {}
    return [
        [frame if type(frame) is bytes else _copy(frame, copied) for frame in frames]
        for frames in messages
    ]


def _copy(frame: Any, copied: dict[int, bytes]) -> bytes:
    copy = copied.get(id(frame))
    if copy is None:
        copy = copied[id(frame)] = bytes(frame)
    return copy
