"""What tasks print and show, for their records."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Any

from ..protocol.session import Message
from .databases.base import TaskDatabase

#: Ends of the topics under which engines publish what is recorded.
TOPICS = (b".stdout", b".stderr", b".execute_input", b".execute_result", b".error")

#: Tasks whose output is here; of others it is taken from the database when there is more of it.
_MAX_OPEN = 200

#: Tasks of which it is known that there is output in the database.
_MAX_CLOSED = 10_000


class Output:
    """The output of one task up to now.

    Parameters
    ----------
    limit : int
        Characters of a stream, and bytes of anything else, that are kept.
    known : mapping
        The fields of its record.
    """

    def __init__(self, limit: int, known: Mapping[str, Any]) -> None:
        self._limit = limit
        self._fields: dict[str, Any] = {
            name: known[name]
            for name in ("stdout", "stderr", "execute_input", "execute_result", "error")
            if known.get(name)
        }

    def add(self, message: Message) -> None:
        """Take in a message.

        Raises
        ------
        ValueError, KeyError, TypeError
            It is malformed.
        """
        content = message.content()
        match message.header.msg_type:
            case "stream":
                self._write(content["name"], content["text"])
            case "execute_input":
                self._keep("execute_input", content["code"], message)
            case "execute_result" | "error" as name:
                self._keep(name, content, message)

    def _write(self, name: str, text: str) -> None:
        if name not in ("stdout", "stderr"):
            raise ValueError(f"no stream {name!r}")
        known = self._fields.get(name, "")
        room = self._limit - len(known)
        if room < 0:
            return  # it was cut
        if len(text) > room:
            text = f"{text[:room]}\n[the output is longer than {self._limit} characters: cut here]"
        self._fields[name] = known + text

    def _keep(self, name: str, value: Any, message: Message) -> None:
        if len(message.content_frame) <= self._limit:
            self._fields[name] = value

    def fields(self) -> dict[str, Any]:
        """What the record is to say."""
        return dict(self._fields)


class OutputRecorder:
    """Adds output to the records of tasks, all that has come at a time.

    Parameters
    ----------
    database : TaskDatabase
    limit : int
        See `Output`.
    is_recent : callable
        Whether a task (id) is pending, or has ended just now: all its output has come here.
    """

    def __init__(
        self, database: TaskDatabase, limit: int, is_recent: Callable[[str], bool]
    ) -> None:
        self._database = database
        self._limit = limit
        self._is_recent = is_recent
        self._open: OrderedDict[str, Output] = OrderedDict()
        self._closed: OrderedDict[str, None] = OrderedDict()
        self._changed: dict[str, list[Message]] = {}

    def record(self, message: Message) -> None:
        """Take in a message.

        Raises
        ------
        ValueError
            It does not say whose output it is.
        """
        msg_id = message.parent.msg_id
        if msg_id:
            self._changed.setdefault(msg_id, []).append(message)

    def write(self) -> None:
        """Put what has come since the last time into the records."""
        changed, self._changed = self._changed, {}
        for msg_id, messages in changed.items():
            try:
                output = self._output_of(msg_id)
                for message in messages:
                    output.add(message)
                self._database.update_record(msg_id, output.fields())
            except (KeyError, TypeError, ValueError):
                # nothing that has a record; or malformed, which clients tell
                self._open.pop(msg_id, None)
        while len(self._open) > _MAX_OPEN:
            msg_id, _ = self._open.popitem(last=False)
            self._closed[msg_id] = None
        while len(self._closed) > _MAX_CLOSED:
            self._closed.popitem(last=False)

    def _output_of(self, msg_id: str) -> Output:
        output = self._open.get(msg_id)
        if output is None:
            is_first = self._is_recent(msg_id) and msg_id not in self._closed
            # a database that is asked has to write first what it has been told
            known = {} if is_first else self._database.get_record(msg_id)
            output = self._open[msg_id] = Output(self._limit, known)
        self._open.move_to_end(msg_id)
        return output
