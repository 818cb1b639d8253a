"""Sends what a client asks for, and hands out the futures of the replies."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from ...error import ClientClosed, TaskAborted, TaskCancelled
from ...protocol.connection import ClientInfo
from ...protocol.messages import (
    ConnectionReply,
    ConnectionRequest,
    EngineNotice,
    Header,
    decode_connection_reply,
    encode,
)
from ...protocol.session import Message, Session, new_id
from ...protocol.versions import own_versions
from ...serialize.functions import PickledFunctions
from ...transport.addresses import is_local, is_loopback, reachable
from ...transport.liveness import refused
from .cancel_requests import Cancelling
from .comms import CommRelay, kernel_here
from .connection import Connection
from .dispatch import Dispatcher
from .engines import EngineTable
from .fetching import Fetching
from .history import History
from .interrupts import InterruptsHeld
from .late import LateCalls
from .recording import Recorder
from .recovery import Recovery
from .submission import Submission
from .tasks import MessageFuture, TaskTable


class Messenger(Submission):
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
        self.connection = Connection(
            info, self._interface, self._dispatcher, b"token:" + self._token.encode()
        )
        #: Versions of Python and of key packages there; empty if it tells none.
        self.controller_versions: dict[str, str] = {}
        self.max_message_size = None
        self._compact = False
        self.late = LateCalls(self)
        self.fetching = Fetching(self)
        self.patience = 0.0
        self._dispatcher.recovery = Recovery(self)
        self.host = None

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
        ControllerLost
            It answered, and is gone.
        """
        self.connection.start()
        task = self.request("query", "connection_request", ConnectionRequest(self._token))
        own_versions()  # takes a moment, the first time: while the controller answers
        if not task.wait(timeout):
            raise TimeoutError(self._no_answer(timeout))
        reply = decode_connection_reply(encode(task.result()))
        # it may go already while the other channels are opened
        self.connection.wait_longer(reply.patience)
        # one of the published package would take a client that connects anew for another one that
        # has the same name
        native = reply.native is not None
        self.connection.connect(self.session.session_id.encode() if native else b"")
        if not self.connection.opened.wait(timeout):
            raise TimeoutError(
                f"the controller at {self._interface}:{self._info.registration} answers, and its"
                f" other ports cannot be reached: {', '.join(self.connection.unopened())}"
            )
        self.check()
        self.meet(reply, stacklevel=3)  # who makes the client

    def meet(self, reply: ConnectionReply, stacklevel: int = 1) -> None:
        """Take in what the controller tells of itself and its engines.

        Parameters
        ----------
        stacklevel : int
            How many calls above this one is the line that is warned of.

        Warns
        -----
        VersionMismatchWarning
        """
        # only a controller of this package says which engines are of this package
        self._compact = reply.native is not None
        native = set(reply.native or ())
        self.patience = reply.patience
        self.connection.wait_longer(reply.patience)
        self.controller_versions = reply.versions.get("controller", {})
        for engine_id, uuid in reply.engines.items():
            self.engines.add(int(engine_id), uuid, uuid in native, reply.versions.get(uuid))
        engines = {u: (int(i), reply.versions.get(u, {})) for i, u in reply.engines.items()}
        self._dispatcher.skew.meet(engines, stacklevel + 1)

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
        self.connection.close()
        self._dispatcher.on_closed()
        if self._comms is not None:
            self._comms.close()

    def abandon(self) -> None:
        """Like `close`, for finalizers; see `Connection.abandon`."""
        self.connection.abandon()
        if self._comms is not None:
            self._comms.close()

    # ---- cancelling

    @property
    def in_io_thread(self) -> bool:
        """Whether this is called in the thread that handles what arrives."""
        return self.connection.in_io_thread

    @property
    def is_native(self) -> bool:
        """Whether the controller is of this package."""
        return self._compact

    @property
    def has_scheduler(self) -> bool:
        """Whether a scheduler of this package has the balanced tasks, until an engine runs them."""
        return self._compact and self.task_scheme != "pure"

    def cancel(
        self,
        msg_ids: Iterable[str],
        error: type[TaskAborted] = TaskCancelled,
        engines: Sequence[str] | None = None,
        interrupt: bool = True,
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
        interrupt : bool
            Whether those that run are cancelled, too.
        """
        result = MessageFuture(self.session.header("cancel_request"))
        cancelling = Cancelling(self, error, result, interrupt)
        cancelling.begin(msg_ids, engines)
        return cancelling

    def end_cancelled(self, task: MessageFuture, where: str, error: TaskAborted) -> bool:
        """See `Dispatcher.end_cancelled`."""
        return self._dispatcher.end_cancelled(task, where, error)

    def fail(self, task: MessageFuture, error: BaseException) -> None:
        """End a task with an error, unless it has ended."""
        self._dispatcher.fail(task, error)

    def told(self, task: MessageFuture, message: Message, received: float) -> None:
        """See `Dispatcher.told`."""
        self._dispatcher.told(task, message, received)

    def lose(self, reason: str) -> None:
        """The controller is of no use any more."""
        self._dispatcher.on_lost(reason)

    def engine_left(self, notice: EngineNotice) -> None:
        """See `Dispatcher.engine_left`."""
        self._dispatcher.engine_left(notice)

    def forget_listeners(self) -> None:
        """Heed no answers any more to what was asked by `ask`."""
        self._dispatcher.listeners.clear()

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

    def ask(self, msg_type: str, content: Any, on_answer: Callable[[Message], bool]) -> None:
        """Ask the hub something that it may answer several times.

        Parameters
        ----------
        on_answer : callable
            Called with each answer, in the I/O thread; says whether it was the last.

        Raises
        ------
        ClientClosed
            The client was closed.
        """
        header = self.session.header(msg_type)
        frames = self.session.frame(header, content)
        listeners = self._dispatcher.listeners
        with InterruptsHeld():
            listeners[header.msg_id] = on_answer
            try:
                self.connection.send("query", frames)
            except BaseException:
                listeners.pop(header.msg_id, None)
                raise

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
            self.connection.send("mux", [uuid.encode(), *frames])
