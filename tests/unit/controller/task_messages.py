"""Requests and replies of tasks, as they pass the controller."""

from __future__ import annotations

from typing import Any

from ipyparallel.protocol.session import Message, Session

SESSION = Session(b"key", session_id="client-session")
ENGINE = Session(b"key", session_id="engine")
DATE = "2026-11-21T10:00:00.000001Z"


def request(
    *buffers: bytes,
    msg_type: str = "apply_request",
    metadata: dict[str, Any] | None = None,
    compact: bool = True,
) -> tuple[Message, list[Any]]:
    """A request as the scheduler gets it."""
    header = SESSION.header(msg_type)
    frames = [
        b"client",
        *SESSION.frame(
            header,
            {"code": "1"} if msg_type == "execute_request" else {},
            metadata=metadata or {"label": "mine"},
            buffers=buffers,
            compact=compact,
        ),
    ]
    return SESSION.parse(frames, fresh=False), frames


def reply_to(
    message: Message, *buffers: bytes, status: str = "ok", compact: bool = True, **content: Any
) -> list[Any]:
    """The reply of an engine to a request, as the scheduler gets it."""
    return [
        b"engine",
        b"client",
        *ENGINE.message(
            message.header.msg_type.replace("request", "reply"),
            {"status": status, **content},
            parent=message.header_frame,
            metadata={"started": DATE, "status": status, "engine": "engine"},
            buffers=buffers,
            compact=compact,
        ),
    ]


def output_of(message: Message, msg_type: str, **content: Any) -> Message:
    """What an engine publishes for a request."""
    frames = ENGINE.message(msg_type, content, parent=message.header_frame)
    return ENGINE.parse([b"engine.0.stdout", *frames], fresh=False)
