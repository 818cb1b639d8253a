"""Has Python write where it was, to the log, when this process dies of a fault in C code."""

from __future__ import annotations

import faulthandler
import sys
from collections.abc import Callable
from functools import wraps
from typing import Any

#: Functions that write to standard error by default, and at which place they take another file.
_DEFAULTS = {"enable": 0, "dump_traceback": 0, "register": 1, "dump_traceback_later": 2}


def log_faults() -> None:
    """Enable `faulthandler`, and have it write to the log when user code enables it, too.

    By itself it would then want the file descriptor of ``sys.stderr``, which has none in an engine.
    """
    log = sys.__stderr__
    if log is None:
        return
    for name, position in _DEFAULTS.items():
        if hasattr(faulthandler, name):  # not all of them on all systems
            function = _writing_to(log, getattr(faulthandler, name), position)
            setattr(faulthandler, name, function)
    faulthandler.enable()


def _writing_to(log: Any, function: Callable[..., Any], position: int) -> Callable[..., Any]:
    @wraps(function)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        if len(args) <= position:
            kwargs.setdefault("file", log)
        return function(*args, **kwargs)

    return wrapped
