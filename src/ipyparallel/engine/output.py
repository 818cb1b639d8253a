"""What an engine publishes: output streams, and a count of what belongs to a request.

The count goes into the reply, so that a client knows when it has all of the output without
waiting for a status message.
"""

from __future__ import annotations

import threading
from typing import Any

from ipykernel.iostream import OutStream
from jupyter_client.session import Session as JupyterSession
from traitlets import Any as AnyTrait

from ..protocol.session import Session


class KernelSession(JupyterSession):
    """Sends what IPython's own machinery sends: output, and replies to Jupyter requests.

    It says in the metadata which engine a message is from, and counts the output.
    """

    #: The engine's session: source of message ids.
    engine_session = AnyTrait()
    #: Objects that stand for the output channel.
    output_sockets = AnyTrait(())

    def __init__(self, engine_session: Session, **kwargs: Any) -> None:
        super().__init__(
            engine_session=engine_session,
            session=engine_session.session_id,
            key=engine_session.key,
            signature_scheme=engine_session.signature_scheme,
            username=engine_session.username,
            **kwargs,
        )
        self._count_lock = threading.Lock()
        self._counted_id = ""
        self._count = 0

    @property
    def msg_id(self) -> str:
        """A new message id."""
        return str(self.engine_session.header("").msg_id)

    def begin_count(self, msg_id: str) -> None:
        """Count the output of this request from now on."""
        with self._count_lock:
            self._counted_id = msg_id
            self._count = 0

    def end_count(self) -> int:
        """How many output messages the request has caused."""
        with self._count_lock:
            self._counted_id = ""
            return self._count

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
        else:
            metadata = {**(metadata or {}), **engine}
        sent = super().send(
            stream, msg_or_type, content, parent, ident, buffers, track, header, metadata
        )
        # after it was sent: what cannot be sent does not count
        if self._counted_id and any(stream is s for s in self.output_sockets):
            source = parent.get("header", parent) if parent else {}
            with self._count_lock:
                if source.get("msg_id") == self._counted_id:
                    self._count += 1
        return sent


class OutputStream(OutStream):  # type: ignore[misc]
    """Standard output or error of an engine: costs nothing while nothing is written."""

    def flush(self) -> None:
        """Have everything written so far sent."""
        # the base class asks its thread and waits for the answer, whatever there is to send
        if self._buffers:
            super().flush()
