"""Ctrl-C at a moment when it would do harm is put off until that is over.

An interrupt in the middle of sending would leave half a message on the socket, which the next one
would become a part of; one inside a lock of the standard library would leave that locked.
"""

from __future__ import annotations

import signal
import threading
from types import FrameType, TracebackType
from typing import Any


class InterruptsHeld:
    """Within this context SIGINT is only noted; at its end it has the effect it had before.

    Does nothing in other threads than the main one, which are not interrupted.
    """

    __slots__ = ("_came", "_handler")

    def __init__(self) -> None:
        self._came: tuple[int, FrameType | None] | None = None
        self._handler: Any = None

    def __enter__(self) -> None:
        if threading.current_thread() is threading.main_thread():
            self._handler = signal.signal(signal.SIGINT, self._note)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        handler = self._handler
        if handler is None:
            return
        signal.signal(signal.SIGINT, handler)
        if self._came is not None:
            if callable(handler):
                handler(*self._came)
            elif handler == signal.SIG_DFL:
                signal.raise_signal(signal.SIGINT)

    def _note(self, number: int, frame: FrameType | None) -> None:
        self._came = (number, frame)
