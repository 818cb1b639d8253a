"""Requests and channels in the form that Jupyter's own machinery takes."""

from __future__ import annotations

from typing import Any

from ..protocol.messages import decode
from ..protocol.session import Message
from ..transport.channel import Channel
from .forked import exit_if_forked


class ReplyStream:
    """A channel as IPython's machinery expects one: something that sends multipart messages."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel

    def send_multipart(self, frames: list[Any], **_: Any) -> None:
        """Send a message."""
        exit_if_forked()
        self._channel.send(frames)


def as_dict(message: Message) -> dict[str, Any]:
    """A request as Jupyter's machinery takes it.

    Raises
    ------
    ValueError, RecursionError
        It is malformed.
    """
    request = {
        "header": decode(message.header_frame),
        "msg_id": message.header.msg_id,
        "msg_type": message.header.msg_type,
        "parent_header": decode(message.parent_frame),
        "metadata": message.metadata(),
        "content": message.content(),
        "buffers": [memoryview(buffer) for buffer in message.buffers],
    }
    for part in ("parent_header", "content"):
        if not isinstance(request[part], dict):
            raise ValueError(f"{part} of {message.header.msg_type} is not an object")
    if message.header.msg_type == "execute_request" and not isinstance(
        request["content"].get("code"), str
    ):
        raise ValueError("content of execute_request has no code")
    return request
