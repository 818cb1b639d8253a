"""Sends what a client asks for, and hands out the futures of the replies."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future
from typing import Any, Protocol

from ..._host import Host
from ...error import ClientClosed, EngineError, TaskAborted, TaskCancelled
from ...protocol.connection import ClientInfo
from ...protocol.messages import ConnectionRequest, Header, decode, decode_connection_reply, encode
from ...protocol.session import Session, new_id
from ...serialize.apply import pack_call
from ...serialize.functions import PickledFunctions
from ...serialize.limits import check_size
from ...transport.addresses import is_local, is_loopback, reachable
from ...transport.liveness import refused
from .cancelling import Cancelling
from .comms import CommRelay, kernel_here
from .connection import Connection
from .dispatch import Dispatcher
from .engines import EngineTable
from .history import History
from .interrupts import InterruptsHeld
from .late import LateCalls
from .recording import Recorder
from .serving import serve_meanwhile
from .tasks import MessageFuture, TaskTable


class Owner(Protocol):
    """Who submits: a view."""

    label: str | None
    track: bool
    history: History


class Messenger:
    """A client's connection with all that belongs to it: session, tasks, engines, history.

    Parameters
    ----------
    info : ClientInfo
        The client's connection file.
    on_lost : callable
        Told why, when the controller is gone or has stopped.
    username : str, optional
        Put in headers.
    """

    def __init__(
        self, info: ClientInfo, on_lost: Callable[[str], None], username: str | None = None
    ) -> None:
        self._info = info
        self.session = Session(
            info.key.encode(), signature_scheme=info.signature_scheme, username=username
        )
        self.engines = EngineTable()
        self.history = History(self.session.id_prefix)
        self._functions = PickledFunctions()
        self._dispatcher = Dispatcher(
            self.session, self.engines, on_lost, pure=info.task_scheme == "pure"
        )
        kernel = kernel_here()
        self._comms = CommRelay(kernel, self) if kernel is not None else None
        self._dispatcher.comms = self._comms
        self._token = new_id()
        self._interface = reachable(info.interface, info.location)
        self._connection = Connection(
            info, self._interface, self._dispatcher, b"token:" + self._token.encode()
        )
        #: In bytes; see `check_size`.
        self.max_message_size: int | None = None
        #: Whether the controller, and so this package's engines, read compact messages.
        self._compact = False
        #: Calls that wait for their arguments.
        self.late = LateCalls(self)
        #: The engine whose own client this is; see `get_client`.
        self.host: Host | None = None

    @property
    def tasks(self) -> TaskTable:
        """The tasks that have not ended."""
        return self._dispatcher.tasks

    @property
    def recorder(self) -> Recorder:
        """Records output."""
        return self._dispatcher.recorder

    @property
    def task_scheme(self) -> str:
        """How the scheduler chooses engines."""
        return self._info.task_scheme

    @property
    def lost(self) -> str:
        """Why nothing can be submitted any more; empty while it can."""
        return self._dispatcher.lost

    def check(self) -> None:
        """Raise `ControllerLost` if nothing can be submitted any more."""
        self._dispatcher.check()

    def check_process(self) -> None:
        """Raise `ClientClosed` in a forked process, where results would be waited for in vain."""
        if self._dispatcher.forked:
            raise ClientClosed(self._dispatcher.forked)

    def connect(self, timeout: float) -> None:
        """Meet the controller, and learn of its engines.

        Raises
        ------
        TimeoutError
            It did not answer in so many seconds; the text says why, as far as that can be told.
        """
        self._connection.start()
        task = self.request("query", "connection_request", ConnectionRequest(self._token))
        if not task.wait(timeout):
            raise TimeoutError(self._no_answer(timeout))
        reply = decode_connection_reply(encode(task.result()))
        native = set(reply.native or ())
        # only a controller of this package says which engines are of this package
        self._compact = reply.native is not None
        for engine_id, uuid in reply.engines.items():
            self.engines.add(int(engine_id), uuid, uuid in native)

    def _no_answer(self, timeout: float) -> str:
        url = f"{self._interface}:{self._info.registration}"
        text = (
            f"Hub connection request timed out: the controller at {url}"
            f" did not answer in {timeout:g} s."
        )
        if refused(url):
            return f"{text} Nobody listens there: the controller has stopped; its file is stale."
        if is_loopback(self._interface) and not is_local(self._info.location):
            return (
                f"{text} It listens on its own host ({self._info.location}) only; start it with"
                " --ip='*'."
            )
        return text

    def close(self) -> None:
        """Close the connection; what has no result yet fails."""
        self._connection.close()
        self._dispatcher.on_closed()
        if self._comms is not None:
            self._comms.close()

    def abandon(self) -> None:
        """Like `close`, for finalizers; see `Connection.abandon`."""
        self._connection.abandon()
        if self._comms is not None:
            self._comms.close()

    # ---- cancelling

    @property
    def in_io_thread(self) -> bool:
        """Whether this is called in the thread that handles what arrives."""
        return self._connection.in_io_thread

    @property
    def has_scheduler(self) -> bool:
        """Whether a scheduler of this package has the balanced tasks, until an engine runs them."""
        return self._compact and self.task_scheme != "pure"

    def cancel(
        self,
        msg_ids: Iterable[str],
        error: type[TaskAborted] = TaskCancelled,
        engines: Sequence[str] | None = None,
    ) -> Cancelling:
        """Cancel tasks wherever they are; returns at once.

        Parameters
        ----------
        msg_ids : iterable of str
            Tasks of other clients may be among them.
        error : type
            What they fail with: TaskCancelled makes their futures cancelled ones.
        engines : sequence of str, optional
            Uuids of engines: only what these have is cancelled.
        """
        result = MessageFuture(self.session.header("cancel_request"))
        cancelling = Cancelling(self, error, result)
        cancelling.begin(msg_ids, engines)
        return cancelling

    def end_cancelled(self, task: MessageFuture, where: str, error: TaskAborted) -> bool:
        """See `Dispatcher.end_cancelled`."""
        return self._dispatcher.end_cancelled(task, where, error)

    def fail(self, task: MessageFuture, error: BaseException) -> None:
        """End a task with an error, unless it has ended."""
        self._dispatcher.fail(task, error)

    def withdraw(self, requests: Sequence[MessageFuture]) -> None:
        """Expect no answer to these any more."""
        self._dispatcher.withdraw(requests)

    # ---- sending

    def request(self, channel: str, msg_type: str, content: Any, uuid: str = "") -> MessageFuture:
        """Send a request that no user code answers; its future gives the reply's content."""
        header = self.session.header(msg_type)
        task = MessageFuture(header, engine_uuid=uuid)
        frames = self.session.frame(header, content)
        if uuid:
            frames.insert(0, uuid.encode())
        self._send(channel, [task], [frames])
        return task

    def tell(
        self,
        uuid: str,
        header: Header,
        content: Any,
        *,
        metadata: Any = None,
        buffers: Sequence[Any] = (),
    ) -> None:
        """Send an engine a message that has no reply.

        Raises
        ------
        ClientClosed
            The client was closed.
        """
        frames = self.session.frame(header, content, metadata=metadata, buffers=buffers)
        with InterruptsHeld():
            self._connection.send("mux", [uuid.encode(), *frames])

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

    def expect(self, task: MessageFuture) -> None:
        """Expect a reply to something that is, or will be, sent otherwise."""
        self._dispatcher.expect((task,))

    def send_late(
        self, task: MessageFuture, content: bytes, buffers: Sequence[Any], metadata: bytes
    ) -> None:
        """Send a call that was expected before."""
        frames = self.session.frame(
            task.header, content, metadata=metadata, buffers=buffers, compact=self._compact
        )
        with InterruptsHeld():
            task.memory = self._connection.send("task", frames, task.owner.track)

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
        # expected before they are sent: the reply may be faster than we are
        with InterruptsHeld():
            self._dispatcher.expect(tasks)
            try:
                for task, frames in zip(tasks, messages, strict=True):
                    task.memory = self._connection.send(channel, frames, track)
            except BaseException:
                self._dispatcher.withdraw(tasks)
                raise

    def _record(self, task: MessageFuture, owner: Owner) -> None:
        self.history.append(task.msg_id)
        owner.history.append(task.msg_id)
