"""Signals as clients name them, by name or by number, for this host's system to make sense of."""

from __future__ import annotations

import operator
import signal
from typing import Any

#: Examples of names, for errors.
_SUCH_AS = "a name such as 'SIGINT', 'SIGTERM' or 'SIGKILL', or a number"


def parse_signal(sig: Any) -> int:
    """The number of a signal on this system.

    Parameters
    ----------
    sig : str or int
        A name such as ``'SIGINT'``, or a number. 0 is no signal at all: it only asks whether the
        process is there.

    Raises
    ------
    TypeError
        Neither a name nor a number.
    ValueError
        This system has no such signal.
    """
    if isinstance(sig, str):
        number = getattr(signal.Signals, sig, None)
        if not isinstance(number, signal.Signals):
            raise ValueError(f"there is no signal named {sig!r} here; it must be {_SUCH_AS}")
        return int(number)
    try:
        if isinstance(sig, bool):
            raise TypeError
        value = operator.index(sig)
    except TypeError:
        raise TypeError(f"a signal must be {_SUCH_AS}, not {sig!r}") from None
    if value != 0 and value not in signal.valid_signals():
        raise ValueError(
            f"there is no signal number {value} here; it must be {_SUCH_AS}"
            f" from 1 to {max(signal.valid_signals()):d}"
        )
    return value


def signal_name(number: int) -> str:
    """The name of a signal, or ``signal 34`` for one that has none."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
