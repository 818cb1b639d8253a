"""What an engine publishes: output streams, displays, and a count of what belongs to a request.

The count goes into the reply, so that a client knows when it has all of the output without
waiting for a status message. What is published after the reply, by threads that are still running,
is not counted; it arrives all the same, as output of the same request.
"""

from __future__ import annotations

import json
import threading
from typing import Any

import zmq
from ipykernel.displayhook import ZMQShellDisplayHook
from ipykernel.iostream import IOPubThread, OutStream
from ipykernel.zmqshell import ZMQDisplayPublisher
from jupyter_client.jsonutil import json_clean, json_default
from jupyter_client.session import Session as JupyterSession
from traitlets import Any as AnyTrait
from traitlets import Instance, Integer

from ..protocol.framing import DELIMITER
from ..protocol.messages import decode_parent
from ..protocol.session import Session
from .origin import Follower
from .output_limit import LimitedText, limit_display


class OutputCount:
    """Counts the messages of the requests that run: of one, or of several that wait for others."""

    def __init__(self) -> None:
        #: Held while a message is handed over and counted: the order of both must be the same.
        self.lock = threading.RLock()
        self._counts: dict[str, int] = {}

    def begin(self, msg_id: str) -> None:
        """Count the output of this request from now on."""
        with self.lock:
            self._counts[msg_id] = 0

    def end(self, msg_id: str) -> int:
        """How many messages the request has caused."""
        with self.lock:
            return self._counts.pop(msg_id, 0)

    def in_fork(self) -> None:
        """Be of use in a process that was forked from this one, at whatever moment."""
        self.lock = threading.RLock()

    def passed(self, frames: list[Any]) -> None:
        """A message was handed over; called under the lock."""
        if self._counts:
            # its parent header stands behind delimiter, signature and header
            msg_id = decode_parent(bytes(frames[frames.index(DELIMITER) + 3])).msg_id
            if msg_id in self._counts:
                self._counts[msg_id] += 1


class OutputThread(IOPubThread):  # type: ignore[misc]
    """Sends what is published, in a thread of its own.

    Also what processes publish that were forked from this one; they send it here.
    """

    def __init__(self, socket: zmq.Socket[bytes], count: OutputCount) -> None:
        super().__init__(socket, pipe=True, session=None)
        self._count = count

    def send_multipart(self, frames: list[Any], *args: Any, **kwargs: Any) -> None:
        """Send a message; from any thread."""
        with self._count.lock:
            super().send_multipart(frames, *args, **kwargs)
            self._count.passed(frames)


def _pack(obj: Any) -> bytes:
    """JSON, where what UTF-8 cannot say (half of a surrogate pair) is a question mark.

    Jupyter's own packer fails for it, or writes what is no UTF-8.
    """

    def dumps(obj: Any) -> str:
        return json.dumps(obj, default=json_default, ensure_ascii=False, allow_nan=False)

    try:
        text = dumps(obj)
    except (TypeError, ValueError):
        text = dumps(json_clean(obj))  # such as NaN
    return text.encode("utf-8", "replace")


class KernelSession(JupyterSession):
    """Sends what IPython's own machinery sends: output, and replies to Jupyter requests.

    It says in the metadata which engine a message is from.
    """

    #: The engine's session: source of message ids.
    engine_session = AnyTrait()
    count = Instance(OutputCount, ())
    #: See `limit_display`.
    output_limit = Integer(0)

    def __init__(self, engine_session: Session, **kwargs: Any) -> None:
        super().__init__(
            engine_session=engine_session,
            session=engine_session.session_id,
            key=engine_session.key,
            signature_scheme=engine_session.signature_scheme,
            username=engine_session.username,
            **kwargs,
        )
        self.pack = _pack

    @property
    def msg_id(self) -> str:
        """A new message id."""
        return str(self.engine_session.header("").msg_id)

    def begin_count(self, msg_id: str) -> None:
        """Count the output of this request from now on."""
        self.count.begin(msg_id)

    def end_count(self, msg_id: str) -> int:
        """How many output messages the request has caused."""
        return self.count.end(msg_id)

    def send(
        self,
        stream: Any,
        msg_or_type: Any,
        content: Any = None,
        parent: Any = None,
        ident: Any = None,
        buffers: Any = None,
        track: bool = False,
        header: Any = None,
        metadata: Any = None,
    ) -> Any:
        """See the base class. Every message says which engine it is from."""
        engine = {"engine": self.session}
        if isinstance(msg_or_type, dict):
            msg_or_type["metadata"] = {**msg_or_type.get("metadata", {}), **engine}
            parent = msg_or_type.get("parent_header")
            if not limit_display(msg_or_type, self.output_limit):
                return None
        else:
            metadata = {**(metadata or {}), **engine}
        return super().send(
            stream, msg_or_type, content, parent, ident, buffers, track, header, metadata
        )


class OutputStream(Follower, OutStream):  # type: ignore[misc]
    """Standard output or error of an engine: costs nothing while nothing is written.

    Parameters
    ----------
    limit : int
        See `LimitedText`.
    """

    def __init__(self, session: KernelSession, thread: OutputThread, name: str, limit: int) -> None:
        super().__init__(session, thread, name, watchfd=False)
        self._limited = LimitedText(name, limit)
        self._sending = threading.RLock()
        self._ended = False

    def write(self, string: str) -> int | None:
        """Write text; what UTF-8 cannot say is written as an escape."""
        if self._ended or not isinstance(string, str):
            return 0 if self._ended else super().write(string)  # which raises TypeError
        if text := self._limited.take(string):
            super().write(text)
        return len(string)

    def flush(self) -> None:
        """Have everything written so far sent."""
        # the base class asks its thread and waits for the answer, whatever there is to send
        if self._buffers:
            super().flush()
        else:
            # what its thread took up just now has to be sent, too
            with self._sending:
                pass

    def _flush(self) -> None:
        with self._sending:
            super()._flush()

    def close(self) -> None:
        """Do nothing: a task that closes its output must not take it from all others."""

    def end(self) -> None:
        """Drop what is written from now on: the engine stops, and threads may not know."""
        self._ended = True

    def in_fork(self) -> None:
        """Be of use in a process that was forked from this one, at whatever moment."""
        self._sending = threading.RLock()
        self._buffer_lock = threading.RLock()
        # what was written before will be sent by the parent
        self._rotate_buffers()


class DisplayPublisher(Follower, ZMQDisplayPublisher):  # type: ignore[misc]
    """Publishes what is displayed."""


class DisplayHook(Follower, ZMQShellDisplayHook):  # type: ignore[misc]
    """Publishes what expressions give, and tracebacks."""
