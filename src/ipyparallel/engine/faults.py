"""Has Python say where it was when this process dies of a fault in C code.

It says so to the supervisor, which puts it into the log: engines that die at the same time, of the
same fault, would otherwise write all at once into one file.
"""

from __future__ import annotations

import faulthandler
import os
import sys
from collections.abc import Callable
from functools import wraps
from typing import Any

#: Functions that write to standard error by default, and at which place they take another file.
_TO_LOG = {"dump_traceback": 0, "register": 1, "dump_traceback_later": 2}


def report_faults(descriptor: int) -> None:
    """Enable `faulthandler`, and have user code be able to use it.

    By default its functions want the descriptor of ``sys.stderr``, which has none in an engine.

    Parameters
    ----------
    descriptor : int
        Where to write faults. What this process forks writes its own to the log instead.
    """
    log = sys.__stderr__
    enable = faulthandler.enable
    faulthandler.enable = _writing_to(descriptor, enable, 0)
    faulthandler.enable()
    if log is None:
        return
    for name, position in _TO_LOG.items():
        if hasattr(faulthandler, name):  # not all of them on all systems
            function = _writing_to(log, getattr(faulthandler, name), position)
            setattr(faulthandler, name, function)

    def in_child() -> None:
        faulthandler.enable = _writing_to(log, enable, 0)
        if faulthandler.is_enabled():
            faulthandler.enable()

    os.register_at_fork(after_in_child=in_child)


def _writing_to(file: Any, function: Callable[..., Any], position: int) -> Callable[..., Any]:
    @wraps(function)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        if len(args) <= position:
            kwargs.setdefault("file", file)
        return function(*args, **kwargs)

    return wrapped
