"""Everything that one task shows, from its beginning on, in order, and once."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import Any

from ...error import RemoteError
from ...serialize.exceptions import read_exception
from ..messaging.metadata import is_update, places_of_display
from ..messaging.tasks import MessageFuture

#: Is given the kind of something that was shown, and what it is: ``stdout`` or ``stderr`` and a
#: text; ``display``, ``update`` or ``result`` and the content of the message; ``error`` and an
#: exception.
Put = Callable[[str, Any], None]


class Tap:
    """Passes on what a task shows: first what it has shown so far, then each message that comes.

    Messages are recorded, and then announced, by the I/O thread. The tap is opened in another
    one, and must not lose what comes meanwhile, nor pass it on twice: once its callback is in the
    list, the only message in doubt is the first that it is called with, because that one waits
    for the lock. Whether it had been recorded in time for the replay, the record tells.

    Parameters
    ----------
    task : MessageFuture
    put : callable
        Called in this thread for what there is, then in the I/O thread; must not block.
    """

    def __init__(self, task: MessageFuture, put: Put) -> None:
        self._task = task
        self._put = put
        self._lock = threading.Lock()
        self._replayed: _Record | None = None

    def open(self) -> None:
        """Begin. To be followed by `close`, even if interrupted."""
        with self._lock:
            self._task.iopub_callbacks.append(self._on_message)
            self._replayed = _Record(self._task)
            self._replay(self._replayed)

    def close(self) -> None:
        """Stop. What the task shows from now on is only recorded."""
        if self._on_message in self._task.iopub_callbacks:
            self._task.iopub_callbacks.remove(self._on_message)

    def _replay(self, record: _Record) -> None:
        texts = {stream: text for stream, (text, _) in record.streams.items()}
        shown = dict.fromkeys(texts, 0)
        for content, mark in zip(record.outputs, record.marks, strict=False):
            for stream, text in texts.items():
                # where lines were overwritten the places do not hold; then it comes a bit early
                if part := text[shown[stream] : mark.get(stream, 0)]:
                    self._put(stream, part)
                    shown[stream] += len(part)
            self._put("update" if is_update(content) else "display", content)
        for stream, text in texts.items():
            if part := text[shown[stream] :]:
                self._put(stream, part)
        if record.known["execute_result"]:
            self._put("result", record.known["execute_result"])
        if record.known["error"]:
            self._put("error", record.known["error"])

    def _on_message(self, message: Mapping[str, Any]) -> None:
        kind, content = message["msg_type"], message["content"]
        with self._lock:
            replayed, self._replayed = self._replayed, None
            if replayed is not None and replayed.includes(kind, content):
                return
            self._pass_on(kind, content)

    def _pass_on(self, kind: str, content: Mapping[str, Any]) -> None:
        if kind == "stream":
            self._put(content["name"], content["text"])
        elif kind == "display_data":
            self._put("display", content)
        elif kind == "update_display_data":
            self._put("update", content)
        elif kind == "execute_result":
            self._put("result", content)
        elif kind == "error":
            self._put("error", self._error(content))

    def _error(self, content: Mapping[str, Any]) -> BaseException:
        # the engine's shell does not know that it is one
        info = {
            "engine_id": self._task.metadata["engine_id"],
            "engine_uuid": self._task.metadata["engine_uuid"],
            "method": self._task.header.msg_type.removesuffix("_request"),
        }
        known = self._task.metadata["error"]
        if isinstance(known, RemoteError) and known.engine_info:
            info = {**info, **known.engine_info}
        return read_exception({**content, "engine_info": info})


class _Record:
    """What was recorded of a task at one moment."""

    def __init__(self, task: MessageFuture) -> None:
        self._task = task
        #: Text, and the number of pieces it is of, by the name of the stream.
        self.streams = {
            name: stream.snapshot()
            for name in ("stdout", "stderr")
            if (stream := task.streams.get(name)) is not None
        }
        metadata = task.metadata
        self.known = {key: metadata[key] for key in ("execute_result", "error")}
        self.outputs = list(metadata["outputs"])
        self.marks = list(task.display_marks)

    def includes(self, kind: str, content: Mapping[str, Any]) -> bool:
        """Whether it includes this message, which is the last that was recorded until now."""
        now = self._task.metadata
        if kind == "stream":
            name = content["name"]
            _, pieces = self.streams.get(name, ("", 0))
            return name in self._task.streams and self._task.streams[name].pieces == pieces
        if kind in ("execute_result", "error"):
            return self.known[kind] is not None and self.known[kind] is now[kind]
        if kind == "display_data":
            return len(self.outputs) == len(now["outputs"])
        if kind == "update_display_data":
            return all(
                place < len(self.outputs) and self.outputs[place] is now["outputs"][place]
                for place in places_of_display(now["outputs"], content)
            )
        return False
