"""How much output one task may cause: a loop that prints must not fill every memory on its way."""

from __future__ import annotations

from typing import Any

from ..protocol.messages import encode_any
from .origin import Origin, current

_NAME = "IPEngine.output_limit"

#: Messages that show something. An update takes the place of what it updates, so that it may come
#: any number of times.
_DISPLAYS = ("display_data", "execute_result", "update_display_data")


class LimitedText:
    """Text as a stream takes it: encodable, and not more than a task may write.

    Parameters
    ----------
    name : str
        Of the stream.
    limit : int
        Bytes that a task may write; 0 for any number. What is more is dropped, and one line says
        so.
    """

    def __init__(self, name: str, limit: int) -> None:
        self._name = name
        self._limit = limit

    def take(self, text: str, origin: Origin | None = None) -> str:
        """What to write of this text, which a task (by default the running one) writes."""
        size = len(text)
        if not text.isascii():
            encoded = text.encode("utf-8", "backslashreplace")
            size = len(encoded)
            text = encoded.decode()
        if not self._limit:
            return text
        origin = origin or current()
        before = origin.written.get(self._name, 0)
        if before > self._limit:
            return ""
        origin.written[self._name] = before + size
        if before + size <= self._limit:
            return text
        # characters for bytes: near enough
        return (
            f"{text[: self._limit - before]}\n... {self._name} of this task was cut after"
            f" {format_size(self._limit)} ({_NAME}) ...\n"
        )


def limit_display(message: dict[str, Any], limit: int) -> bool:
    """Take what is too large out of a message that shows something.

    Parameters
    ----------
    message : dict
        Any message; changed in place.
    limit : int
        Bytes that one display may have, and those of a task together; 0 for any number.

    Returns
    -------
    bool
        Whether to send it.
    """
    kind = message.get("msg_type")
    if not limit or kind not in _DISPLAYS:
        return True
    content = message["content"]
    size = sum(map(_size, content["data"].values()))
    if size > limit:
        _replace(
            content,
            f"<A display of {format_size(size)} was left out:"
            f" it may have {format_size(limit)} ({_NAME})>",
        )
        return True
    if kind == "update_display_data":
        return True
    origin = current()
    before = origin.written.get("display", 0)
    if before > limit:
        return False
    origin.written["display"] = before + size
    if before + size > limit:
        _replace(
            content,
            "<This display of the task and those that follow are left out:"
            f" together they may have {format_size(limit)} ({_NAME})>",
        )
    return True


def _replace(content: dict[str, Any], text: str) -> None:
    content["data"] = {"text/plain": text}
    content["metadata"] = {}


def _size(value: Any) -> int:
    return len(value) if isinstance(value, (str, bytes)) else len(encode_any(value))


def format_size(size: int) -> str:
    """A number of bytes, such as ``16 MiB``."""
    for unit, factor in (("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)):
        if size >= factor:
            return f"{size / factor:.3g} {unit}"
    return f"{size} bytes"
