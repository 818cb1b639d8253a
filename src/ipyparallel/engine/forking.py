"""Forks of the supervisor: each begins without the signal handlers of its parent."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

#: Signals that the supervisor handles, and its children must not handle in its way.
_HANDLED = (
    signal.SIGTERM,
    signal.SIGINT,
    signal.SIGALRM,
    signal.SIGUSR1,
    signal.SIGUSR2,
    signal.SIGURG,
)

Handler = Any  # as `signal.signal` takes it: a function of a number and a frame, or SIG_IGN


def handle_signals(handlers: dict[int, Handler]) -> None:
    """Install the supervisor's handlers; each of them must be among the signals held back here."""
    for number, handler in handlers.items():
        assert number in _HANDLED
        signal.signal(number, handler)


def fork(close: Iterable[int], *, ignore: Iterable[int] = ()) -> int:
    """Fork; in the child signals have their default effect.

    Parameters
    ----------
    close : iterable of int
        Descriptors that the child must not hold: an end of a pipe that is held open there would
        hide that its owner has died.
    ignore : iterable of int
        Signals that the child ignores from its first instruction on.

    Returns
    -------
    int
        The child's pid; 0 in the child.
    """
    with _signals_held():
        pid = os.fork()
        if pid == 0:
            _set(_HANDLED, signal.SIG_DFL)
            _set(ignore, signal.SIG_IGN)
    if pid == 0:
        for descriptor in close:
            os.close(descriptor)
    return pid


def _set(numbers: Iterable[int], handler: Handler) -> None:
    for number in numbers:
        signal.signal(number, handler)


@contextmanager
def _signals_held() -> Iterator[None]:
    """Keep signals back for a moment: while a child exists that has the parent's handlers."""
    signal.pthread_sigmask(signal.SIG_BLOCK, _HANDLED)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _HANDLED)
