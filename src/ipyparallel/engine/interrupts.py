"""Interrupts: user code can be interrupted, and nothing else can.

A SIGINT may come at any instruction of the main thread: in the user's code, where it is meant to
end that, or a moment later, in the middle of sending the result. So it is answered by where it
came: if the code that was interrupted was called, however indirectly, by a function marked as
`interruptible`, it raises KeyboardInterrupt there.

While a task waits for others, the engine runs more of them (see `nesting`): engine code that is
called by user's code. That is marked as `protected`, against which the mark that is nearer wins.
"""

from __future__ import annotations

from collections.abc import Callable
from types import CodeType, FrameType
from typing import Any, TypeVar

Function = TypeVar("Function", bound=Callable[..., Any])

#: Whether what a function with this code calls may be interrupted.
_marked: dict[CodeType, bool] = {}


def interruptible(function: Function) -> Function:
    """Mark a function, or a coroutine function, as one that runs the user's code."""
    _marked[function.__code__] = True
    return function


def protected(function: Function) -> Function:
    """Mark a function as one of the engine's own, though user's code has called it."""
    _marked[function.__code__] = False
    return function


def may_interrupt(frame: FrameType | None) -> bool:
    """Whether what runs in this frame was called by an interruptible function, or is one.

    A protected function that is nearer says no.
    """
    while frame is not None:
        mark = _marked.get(frame.f_code)
        if mark is not None:
            return mark
        frame = frame.f_back
    return False
