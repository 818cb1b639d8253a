"""Requests and channels in the form that Jupyter's own machinery takes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..protocol.messages import COMM_MESSAGES
from ..protocol.session import Message
from .forked import exit_if_forked


class ReplyStream:
    """What IPython's machinery expects a channel to be: something that sends multipart messages.

    Parameters
    ----------
    send : callable
        Sends the frames of a message.
    """

    def __init__(self, send: Callable[[list[Any]], None]) -> None:
        self._send = send

    def send_multipart(self, frames: list[Any], **_: Any) -> None:
        """Send a message."""
        exit_if_forked()
        self._send(frames)


def as_dict(message: Message) -> dict[str, Any]:
    """A request as Jupyter's machinery takes it.

    Raises
    ------
    ValueError, RecursionError
        It is malformed.
    """
    request = message.as_dict()
    for part in ("parent_header", "content"):
        if not isinstance(request[part], dict):
            raise ValueError(f"{part} of {message.header.msg_type} is not an object")
    if message.header.msg_type == "execute_request" and not isinstance(
        request["content"].get("code"), str
    ):
        raise ValueError("content of execute_request has no code")
    if message.header.msg_type in COMM_MESSAGES and not isinstance(
        request["content"].get("comm_id"), str
    ):
        raise ValueError(f"content of {message.header.msg_type} has no comm_id")
    return request
