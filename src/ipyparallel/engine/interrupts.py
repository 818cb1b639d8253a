"""Interrupts: user code can be interrupted, and nothing else can.

A SIGINT may come at any instruction of the main thread: in the user's code, where it is meant to
end that, or a moment later, in the middle of sending the result. So it is answered by where it
came: if the code that was interrupted was called, however indirectly, by a function marked as
`interruptible`, it raises KeyboardInterrupt there.
"""

from __future__ import annotations

from collections.abc import Callable
from types import CodeType, FrameType
from typing import Any, TypeVar

Function = TypeVar("Function", bound=Callable[..., Any])

_marked: set[CodeType] = set()


def interruptible(function: Function) -> Function:
    """Mark a function, or a coroutine function, as one that runs the user's code."""
    _marked.add(function.__code__)
    return function


def may_interrupt(frame: FrameType | None) -> bool:
    """Whether what runs in this frame was called by an interruptible function, or is one."""
    while frame is not None:
        if frame.f_code in _marked:
            return True
        frame = frame.f_back
    return False
