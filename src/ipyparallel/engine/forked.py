"""Processes that a task forks from its engine, on its own or by ``multiprocessing``.

They inherit all that the engine is: its sockets, its signal handlers, its locks in whichever state
they are. None of it may they use, but for what they print and show, which goes to the engine.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import traceback

from .._host import set_host
from .kernel import IPythonParallelKernel

#: Signals for which an engine has handlers.
_HANDLED = (signal.SIGTERM, signal.SIGINT)

_child = False


class ForkedChild:
    """What a forked process has to change about itself.

    Parameters
    ----------
    kernel : IPythonParallelKernel
        Whose output is redirected.
    """

    def __init__(self, kernel: IPythonParallelKernel) -> None:
        self._kernel = kernel
        self._local = threading.local()

    def watch(self) -> None:
        """See to every fork from now on; for good."""
        os.register_at_fork(
            before=self._hold_signals,
            after_in_parent=self._release_signals,
            after_in_child=self._begin,
        )

    def _hold_signals(self) -> None:
        # one for the child may come before the child is ready for it
        self._local.mask = signal.pthread_sigmask(signal.SIG_BLOCK, _HANDLED)

    def _release_signals(self) -> None:
        signal.pthread_sigmask(signal.SIG_SETMASK, self._local.mask)

    def _begin(self) -> None:
        global _child
        _child = True
        set_host(None)
        # the engine's would have the child stop the engine
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        for stream in self._kernel.streams:
            stream.in_fork()
        session = self._kernel.session
        session.count.in_fork()
        session.pid = os.getpid()  # or it would refuse to send
        self._release_signals()


def is_forked() -> bool:
    """Whether this process is not the engine, but a child of it."""
    return _child


def exit_if_forked(error: BaseException | None = None) -> None:
    """End this process if it is not the engine, but a child that came back from its task.

    It would go on as a second engine, on the same sockets.

    Parameters
    ----------
    error : BaseException, optional
        What it came back with.
    """
    if not _child:
        return
    code = 0
    if isinstance(error, SystemExit):
        code = error.code if isinstance(error.code, int) else int(error.code is not None)
    elif error is not None:
        traceback.print_exception(error)
        code = 1
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code & 0xFF)
