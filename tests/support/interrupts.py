"""Ctrl-C, exactly when the main thread is waiting for a result."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FunctionType

from ipyparallel import AsyncResult

#: Seconds between looks at what the thread does.
_LOOK = 0.02


def _waits(thread_id: int, inside: FunctionType, of: FunctionType) -> bool:
    """Whether the thread is inside a function, called from another."""
    frame = sys._current_frames().get(thread_id)
    codes = []
    while frame is not None:
        codes.append(frame.f_code)
        frame = frame.f_back
    return codes[:1] == [inside.__code__] and of.__code__ in codes


@contextmanager
def ctrl_c_while_waiting(
    inside: FunctionType = threading.Condition.wait, of: FunctionType = AsyncResult.get
) -> Iterator[None]:
    """Within this context, which the main thread runs, a wait for a result is interrupted.

    Parameters
    ----------
    inside : function
        In which it waits.
    of : function
        That has called this.
    """
    main = threading.main_thread().ident
    assert main == threading.get_ident()
    over = threading.Event()

    def interrupt() -> None:
        # Again, if need be: a signal that comes just before the thread falls asleep, and after it
        # has looked for signals, does not wake it up. To that thread, since another one that gets
        # it would not wake this one up either.
        while not over.wait(_LOOK):
            if _waits(main, inside, of):
                signal.pthread_kill(main, signal.SIGINT)

    helper = threading.Thread(target=interrupt)
    helper.start()
    try:
        yield
    finally:
        over.set()
        helper.join()
