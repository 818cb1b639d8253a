"""Ctrl-C at a moment when it would do harm is put off until that is over.

An interrupt in the middle of sending would leave half a message on the socket, which the next one
would become a part of; one inside a lock of the standard library would leave that locked.
"""

from __future__ import annotations

import importlib
import signal
import threading
from types import FrameType, TracebackType
from typing import Any

# `signal.signal` is this function, and then looks for its result in an enum, which raises and
# catches an exception for a handler that is a function: ten times the time, twice a task.
_signal = importlib.import_module("_signal")
_set_handler, _get_handler = _signal.signal, _signal.getsignal


class InterruptsHeld:
    """Within this context SIGINT is only noted; at its end it has the effect it had before.

    Does nothing in other threads than the main one, which are not interrupted.
    """

    __slots__ = ("_came", "_handler")

    def __init__(self) -> None:
        self._came: tuple[int, FrameType | None] | None = None
        self._handler: Any = None

    def __enter__(self) -> None:
        in_main = threading.current_thread() is threading.main_thread()
        # a handler that is not Python's could not be put back
        if in_main and _get_handler(signal.SIGINT) is not None:
            self._handler = _set_handler(signal.SIGINT, self._note)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        handler = self._handler
        if handler is None:
            return
        _set_handler(signal.SIGINT, handler)
        if self._came is not None:
            if callable(handler):
                handler(*self._came)
            elif handler == signal.SIG_DFL:
                signal.raise_signal(signal.SIGINT)

    def _note(self, number: int, frame: FrameType | None) -> None:
        self._came = (number, frame)
