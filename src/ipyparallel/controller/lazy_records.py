"""Parts of a task's record as the messages that they come from, decoded when they are asked for.

Most records are dropped without that anybody has looked at them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, ClassVar

from ..protocol.framing import Unpacked, unpack
from ..protocol.messages import UNREADABLE, decode
from ..protocol.session import parse_date

#: About what the objects around the frames take, in bytes.
_OVERHEAD = 600


class MessageRecord(Mapping[str, Any]):
    """Fields of a record that a message holds. Immutable."""

    __slots__ = ("_frames",)

    #: Whether there is a `completed` among the fields.
    has_ended: ClassVar[bool] = False

    _FIELDS: ClassVar[dict[str, Callable[[Any, Unpacked], Any]]] = {}

    def __init__(self, frames: list[Any]) -> None:
        self._frames = frames

    @property
    def nbytes(self) -> int:
        """Bytes of memory that this holds, about."""
        return _OVERHEAD + sum(map(len, self._frames))

    def __getitem__(self, key: str) -> Any:
        return self._FIELDS[key](self, unpack(self._frames))

    def __contains__(self, key: object) -> bool:
        return key in self._FIELDS

    def __iter__(self) -> Iterator[str]:
        return iter(self._FIELDS)

    def __len__(self) -> int:
        return len(self._FIELDS)


class RequestRecord(MessageRecord):
    """What is known of a task when it was submitted.

    Parameters
    ----------
    queue : {'mux', 'task'}
        Whether it is a direct one, or a balanced one.
    frames : list of frames
        The request.
    engine_uuid : str
        The engine, if it is known.
    is_complete : bool
        Whether the buffers are among the frames: they may have been too large to be kept.
    """

    __slots__ = ("engine_uuid", "is_complete", "msg_id", "queue")

    def __init__(
        self,
        queue: str,
        msg_id: str,
        frames: list[Any],
        engine_uuid: str = "",
        is_complete: bool = True,
    ) -> None:
        super().__init__(frames)
        self.queue = queue
        self.msg_id = msg_id
        self.engine_uuid = engine_uuid
        self.is_complete = is_complete

    _FIELDS: ClassVar[dict[str, Callable[[Any, Unpacked], Any]]] = {
        "msg_id": lambda self, message: self.msg_id,
        "header": lambda self, message: _dict(message.parts[0]),
        "metadata": lambda self, message: _dict(message.parts[2]),
        "content": lambda self, message: _dict(message.parts[3]),
        "buffers": lambda self, message: (
            list(map(bytes, message.buffers)) if self.is_complete else []
        ),
        "submitted": lambda self, message: _date(_dict(message.parts[0]).get("date")),
        "client_uuid": lambda self, message: _dict(message.parts[0]).get("session"),
        "engine_uuid": lambda self, message: self.engine_uuid or None,
        "queue": lambda self, message: self.queue,
        "label": lambda self, message: _dict(message.parts[2]).get("label"),
    }


class ReplyRecord(MessageRecord):
    """What is known of a task when it has ended.

    Parameters
    ----------
    frames : list of frames
        The reply.
    engine_uuid : str
        The engine that ran it; empty if none did.
    received : float
        When the controller got it, seconds since the epoch.
    """

    __slots__ = ("_received", "engine_uuid")

    has_ended: ClassVar[bool] = True

    def __init__(self, frames: list[Any], engine_uuid: str, received: float) -> None:
        super().__init__(frames)
        self.engine_uuid = engine_uuid
        self._received = received

    _FIELDS: ClassVar[dict[str, Callable[[Any, Unpacked], Any]]] = {
        "engine_uuid": lambda self, message: self.engine_uuid or None,
        "started": lambda self, message: _date(_dict(message.parts[2]).get("started")),
        "completed": lambda self, message: (
            _date(_dict(message.parts[0]).get("date")) or self.received()
        ),
        "received": lambda self, message: self.received(),
        "result_header": lambda self, message: _dict(message.parts[0]),
        "result_metadata": lambda self, message: _dict(message.parts[2]),
        "result_content": lambda self, message: _dict(message.parts[3]),
        "result_buffers": lambda self, message: list(map(bytes, message.buffers)),
    }

    def received(self) -> datetime:
        """When the controller got it."""
        return datetime.fromtimestamp(self._received, UTC)


def _dict(frame: bytes) -> dict[str, Any]:
    """What a frame holds; nothing, if it is malformed: that is told to others."""
    try:
        found = decode(frame)
    except UNREADABLE:
        return {}
    return found if isinstance(found, dict) else {}


def _date(text: Any) -> datetime | None:
    try:
        return parse_date(text)
    except (TypeError, ValueError):
        return None
