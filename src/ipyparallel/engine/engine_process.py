"""An engine as its agent sees it: a process that gets signals, and ends."""

from __future__ import annotations

import os
import select
import signal
from contextlib import suppress


class EngineProcess:
    """An engine as a process, whose number cannot be taken for that of a later one.

    Where the system has no handles for processes (other than Linux), the number has to do: the
    supervisor tells of a death before anything else, so that the chance is slight.
    """

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self._handle = -1
        if hasattr(os, "pidfd_open"):
            # also when the engine has died already; or when the system knows only the name
            with suppress(OSError):
                self._handle = os.pidfd_open(pid)

    def send_signal(self, number: int) -> bool:
        """Send a signal; False if the process has ended."""
        try:
            if self._handle >= 0:
                signal.pidfd_send_signal(self._handle, number)
            else:
                os.kill(self.pid, number)
        except ProcessLookupError:
            return False
        return True

    @property
    def alive(self) -> bool:
        """Whether it has not ended."""
        if self._handle >= 0:
            return not select.select([self._handle], [], [], 0)[0]
        return self.send_signal(0)

    def close(self) -> None:
        """Forget it."""
        if self._handle >= 0:
            os.close(self._handle)
            self._handle = -1
