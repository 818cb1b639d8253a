"""What tasks show is recorded in their metadata, as a terminal would show it, and not without end.

Runs in the I/O thread.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ...protocol.session import Message
from ...serialize.exceptions import read_exception
from ...serialize.pickler import deserialize
from .metadata import is_update, places_of_display

if TYPE_CHECKING:
    from .tasks import MessageFuture

#: Characters, or bytes, kept by default of each stream, and of all rich output, of a task. Engines
#: of this package stop sending before that, and say so themselves.
OUTPUT_LIMIT = 32 << 20

#: As long as a text is shorter than this it is put together anew for each piece that comes.
_SHORT = 1 << 16


class StreamText:
    """The text that a stream has written so far.

    Parameters
    ----------
    limit : int
        Most characters that are kept; the rest is only said to be missing.
    """

    __slots__ = ("_done", "_limit", "_line", "_lock", "_published", "length", "pieces")

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._done: list[str] = []
        #: Pieces of the last line, which may yet be overwritten.
        self._line: list[str] = []
        #: How many characters were written, overwritten ones included.
        self.length = 0
        self._published = 0
        #: How many pieces were written.
        self.pieces = 0
        #: Whoever looks at the metadata reads, and the I/O thread writes.
        self._lock = threading.Lock()

    def write(self, text: str) -> None:
        """Add a piece."""
        with self._lock:
            self.pieces += 1
            self._write(text)

    def _write(self, text: str) -> None:
        if self.length > self._limit:
            return
        self.length += len(text)
        if self.length > self._limit:
            kept = len(text) - (self.length - self._limit)
            text = f"{text[:kept]}\n[the output is longer than {self._limit} characters: cut here]"
        lines, newline, line = text.rpartition("\n")
        if newline:
            self._done.append(overwritten("".join(self._line) + lines + newline))
            self._line = []
        returned = "\r" in line or (self._line and self._line[-1].endswith("\r"))
        self._line.append(line)
        if returned:
            self._line = [overwritten("".join(self._line))]

    def is_due(self) -> bool:
        """Whether so much was written since it was read that it should be read again.

        Putting a long text together for each small piece would take time that grows with its
        square.
        """
        return self.length < _SHORT or self.length > self._published * 1.125

    def read(self) -> str:
        """The whole text."""
        return self.snapshot()[0]

    def snapshot(self) -> tuple[str, int]:
        """The whole text, and of how many pieces it is."""
        with self._lock:
            self._published = self.length
            done = "".join(self._done)
            self._done = [done]
            return done + "".join(self._line), self.pieces


def overwritten(text: str) -> str:
    """What is left to see of a text with carriage returns.

    A lone one takes the writer back to the beginning of the line, as progress bars do; one that
    ends a line stays.
    """
    if "\r" not in text:
        return text
    return "\n".join(map(_last_state, text.split("\n")))


def _last_state(line: str) -> str:
    body = line.rstrip("\r")
    return body.rpartition("\r")[2] + line[len(body) :]


class Recorder:
    """Adds output messages to the metadata of their tasks.

    Parameters
    ----------
    limit : int
        See `OUTPUT_LIMIT`.
    """

    def __init__(self, limit: int = OUTPUT_LIMIT) -> None:
        self.limit = limit
        self._record: dict[str, Callable[[MessageFuture, Message], None]] = {
            "stream": self._stream,
            "error": self._error,
            "execute_input": self._execute_input,
            "execute_result": self._execute_result,
            "display_data": self._display_data,
            "update_display_data": self._update_display_data,
            "data_message": self._data,
        }

    def record(self, task: MessageFuture, message: Message) -> None:
        """Record a message, if it is of a kind that is recorded.

        Raises
        ------
        ValueError, KeyError, TypeError
            It is malformed.
        """
        record = self._record.get(message.header.msg_type)
        if record is not None:
            record(task, message)

    def _stream(self, task: MessageFuture, message: Message) -> None:
        content = message.content()
        name, text = content["name"], content["text"]
        if name not in ("stdout", "stderr") or not isinstance(text, str):
            raise ValueError(f"no stream {name!r}")
        stream = task.streams.get(name)
        if stream is None:
            stream = task.streams[name] = StreamText(self.limit)
        stream.write(text)
        if stream.is_due():
            task.publish_streams()

    def _error(self, task: MessageFuture, message: Message) -> None:
        # the reply knows more, and may have come first
        metadata = task.metadata
        if metadata["error"] is None:
            metadata["error"] = read_exception(message.content())

    def _execute_input(self, task: MessageFuture, message: Message) -> None:
        task.metadata["execute_input"] = message.content()["code"]

    def _execute_result(self, task: MessageFuture, message: Message) -> None:
        if self._has_room(task, message):
            task.metadata["execute_result"] = message.content()

    def _display_data(self, task: MessageFuture, message: Message) -> None:
        if self._has_room(task, message):
            _append(task, message.content())

    def _update_display_data(self, task: MessageFuture, message: Message) -> None:
        if not self._has_room(task, message):
            return
        content = message.content()
        outputs = task.metadata["outputs"]
        places = places_of_display(outputs, content)
        for place in places:
            outputs[place] = {**content, "update": is_update(outputs[place])}
        if not places:
            _append(task, {**content, "update": True})

    def _has_room(self, task: MessageFuture, message: Message) -> bool:
        """Whether rich output of that size is still kept; if not, a text in its place says so."""
        if task.rich_output > self.limit:
            return False
        task.rich_output += len(message.content_frame)
        if task.rich_output <= self.limit:
            return True
        text = f"[the rich output is larger than {self.limit} bytes: cut here]"
        _append(task, {"data": {"text/plain": text}, "metadata": {}})
        return False

    def _data(self, task: MessageFuture, message: Message) -> None:
        task.metadata["data"].update(deserialize(message.buffers))


def _append(task: MessageFuture, content: dict[str, Any]) -> None:
    task.display_marks.append({name: stream.length for name, stream in task.streams.items()})
    task.metadata["outputs"].append(content)
