"""Submitting tasks: what is sent of each, and who keeps account of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any, Protocol

from ..._host import Host
from ...error import EngineError
from ...protocol.messages import decode, encode
from ...protocol.session import Session
from ...serialize.apply import pack_call
from ...serialize.functions import PickledFunctions
from ...serialize.limits import check_size
from .cancelling import Canceller
from .connection import Connection
from .dispatch import Dispatcher
from .engines import EngineTable
from .history import History
from .interrupts import InterruptsHeld
from .serving import serve_meanwhile
from .tasks import RECORDED, TASK_CHANNELS, MessageFuture, copies

if TYPE_CHECKING:
    from .late import LateCalls


class Owner(Protocol):
    """Who submits: a view."""

    label: str | None
    track: bool
    history: History


class Submission(Canceller):
    """The part of `Messenger` that submits tasks."""

    session: Session
    engines: EngineTable
    history: History
    #: Calls that wait for their arguments.
    late: LateCalls
    #: In bytes; see `check_size`.
    max_message_size: int | None
    #: The engine whose own client this is; see `get_client`.
    host: Host | None
    #: Whether the controller, and so this package's engines, read compact messages.
    _compact: bool
    _functions: PickledFunctions
    _dispatcher: Dispatcher
    connection: Connection
    #: Seconds that the controller, when it is gone, may take to come back; 0: it will not.
    patience: float

    def pack(
        self, func: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]
    ) -> tuple[bytes, list[Any]]:
        """The content and the buffers of a call; see `pack_call`.

        Raises
        ------
        MessageTooLarge
            Together they are larger than `max_message_size`.
        """
        content, buffers = pack_call(func, args, kwargs, self._functions)
        check_size(buffers, self.max_message_size, func, "Client.max_message_size")
        return content, buffers

    def pack_code(self, code: str, silent: bool) -> bytes:
        """The content of a request to execute code.

        Raises
        ------
        MessageTooLarge
            It is larger than `max_message_size`.
        """
        content = encode(
            {"code": code, "silent": silent, "user_expressions": {}, "allow_stdin": False}
        )
        check_size((content,), self.max_message_size, "execute", "Client.max_message_size")
        return content

    def submit_direct(
        self,
        msg_type: str,
        content: Any,
        buffers: Sequence[Any],
        ids: Sequence[int],
        owner: Owner,
        label: str | None = None,
        track: bool | None = None,
    ) -> list[MessageFuture]:
        """Send the same request to each of these engines.

        Raises
        ------
        EngineError
            One of them has gone meanwhile, or cannot read calls of this package.
        """
        tasks, messages = [], []
        label = owner.label if label is None else label
        metadata = encode({"label": label, "count_output": True, **self._lineage()})
        foreign = self.engines.foreign
        for engine_id in ids:
            try:
                uuid = self.engines.uuid(engine_id)
            except KeyError:
                raise EngineError(f"engine {engine_id} is gone") from None
            if uuid in foreign and msg_type == "apply_request":
                raise EngineError(
                    f"engine {engine_id} is of the published ipyparallel, which cannot read the"
                    " calls of this version; start engines of this version"
                )
            header = self.session.header(msg_type)
            task = MessageFuture(header, label=label, engine_uuid=uuid, owner=owner)
            task.canceller = self
            task.engine_id = engine_id
            tasks.append(task)
            frames = self.session.frame(
                header,
                content,
                metadata=metadata,
                buffers=buffers,
                compact=self._compact and uuid not in foreign,
            )
            messages.append([uuid.encode(), *frames])
        self._send("mux", tasks, messages, owner.track if track is None else track)
        for task in tasks:
            self._record(task, owner)
        return tasks

    def submit_call(
        self,
        func: Any,
        args: tuple[Any, ...],
        kwargs: Mapping[str, Any],
        metadata: bytes,
        owner: Owner,
        label: str | None = None,
    ) -> MessageFuture:
        """Send a call to the task scheduler, once the results among its arguments are there.

        Parameters
        ----------
        metadata : bytes
            What the scheduler is to know of it.

        Raises
        ------
        MessageTooLarge
            As it is, without those results, it is larger than `max_message_size`.
        """
        results: list[Future[Any]] = []
        content, buffers = pack_call(func, args, kwargs, self._functions, results)
        check_size(buffers, self.max_message_size, func, "Client.max_message_size")
        flags = metadata
        if self.host is not None:
            metadata = encode({**decode(metadata), **self._lineage()})
        header = self.session.header("apply_request")
        task = MessageFuture(header, label=owner.label if label is None else label, owner=owner)
        task.canceller = self
        task.flags = flags
        before = self.late.needed_by(metadata)
        if results or before:
            call = self.late.call(content, buffers, func, results)
            if before or call.failure() or not all(result.done() for result in results):
                if self.host is not None:
                    serve_meanwhile(task, self.host)
                self.late.add(task, call, metadata, before)
                self._record(task, owner)
                return task
            content, buffers = call.complete(self.max_message_size)
        frames = self.session.frame(
            header, content, metadata=metadata, buffers=buffers, compact=self._compact
        )
        self._send("task", (task,), (frames,), owner.track)
        self._record(task, owner)
        return task

    def send_late(
        self, task: MessageFuture, content: bytes, buffers: Sequence[Any], metadata: bytes
    ) -> None:
        """Send a call that was expected before."""
        frames = self.session.frame(
            task.header, content, metadata=metadata, buffers=buffers, compact=self._compact
        )
        kept = None
        if self.patience:
            (frames,) = copies((frames,))
            kept = frames
        with InterruptsHeld():
            self._dispatcher.keep(task, "task", kept)
            task.memory = self.connection.send("task", frames, task.owner.track, msg_id=task.msg_id)

    def submit(
        self,
        channel: str,
        msg_type: str,
        content: bytes,
        buffers: Sequence[Any],
        metadata: dict[str, Any],
        uuid: str = "",
        track: bool = False,
        before: Callable[[MessageFuture], None] | None = None,
    ) -> MessageFuture:
        """Send one request of a task; for who does without a view."""
        header = self.session.header(msg_type)
        task = MessageFuture(header, label=metadata.get("label"), engine_uuid=uuid)
        task.canceller = self
        task.engine_id = self.engines.id_of(uuid)
        if before is not None:
            before(task)
        frames = self.session.frame(
            header,
            content,
            metadata=encode({**metadata, "count_output": True, **self._lineage()}),
            buffers=buffers,
            compact=self._compact and uuid not in self.engines.foreign,
        )
        if uuid:
            frames.insert(0, uuid.encode())
        self._send(channel, (task,), (frames,), track)
        self.history.append(task.msg_id)
        return task

    def _lineage(self) -> dict[str, Any]:
        """What is said of tasks that a task submits."""
        return {} if self.host is None else self.host.lineage()

    def _send(
        self,
        channel: str,
        tasks: Sequence[MessageFuture],
        messages: Sequence[list[Any]],
        track: bool = False,
    ) -> None:
        if self.host is not None and channel in ("mux", "task"):
            for task in tasks:
                serve_meanwhile(task, self.host)
        kept = None
        if (
            self.patience
            or channel not in TASK_CHANNELS
            or tasks[0].header.msg_type not in RECORDED
        ):
            kept = messages = copies(messages)
        # expected before they are sent: the reply may be faster than we are
        with InterruptsHeld():
            self._dispatcher.expect(tasks, channel, kept)
            try:
                for task, frames in zip(tasks, messages, strict=True):
                    task.memory = self.connection.send(channel, frames, track, msg_id=task.msg_id)
            except BaseException:
                self._dispatcher.withdraw(tasks)
                raise

    def _record(self, task: MessageFuture, owner: Owner) -> None:
        self.history.append(task.msg_id)
        owner.history.append(task.msg_id)

    def expect(self, *tasks: MessageFuture) -> None:
        """Expect replies to what is, or will be, sent otherwise."""
        self._dispatcher.expect(tasks)
