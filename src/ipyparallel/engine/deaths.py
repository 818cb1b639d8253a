"""Why an engine died: what its supervisor can find out, in words that complete "Engine 3 ..."."""

from __future__ import annotations

import os
import signal
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from .last_lines import CommonLog, last_lines
from .out_of_memory import Killings, peak_memory
from .signals import signal_name

if TYPE_CHECKING:
    import resource

#: Signals that a process gets for what it does itself; what they mean is told with the name.
_FAULTS = ("SIGABRT", "SIGBUS", "SIGFPE", "SIGILL", "SIGSEGV", "SIGSYS", "SIGTRAP")


@dataclass(frozen=True)
class Beginning:
    """When an engine began, and where the log ended then."""

    log_end: int
    time: float = field(default_factory=time.monotonic)


@dataclass(frozen=True)
class Death:
    """How an engine ended."""

    #: Its exit code; of one that was killed the negative number of the signal.
    code: int
    #: In one line, such as ``killed by SIGKILL``.
    reason: str
    #: The end of what it wrote to the log, in short.
    last_lines: str = ""


class Witness:
    """Finds out why engines died, in their supervisor."""

    def __init__(self) -> None:
        self._killings = Killings()
        self._log = CommonLog()
        self._told_end = 0

    def born(self) -> Beginning:
        """An engine is about to begin."""
        return Beginning(self._log.end)

    def died(self, pid: int, status: int, usage: resource.struct_rusage, began: Beginning) -> Death:
        """An engine has died.

        Parameters
        ----------
        pid, status, usage
            As ``wait4`` gave them.
        began : Beginning
            What `born` returned for it.
        """
        code = os.waitstatus_to_exitcode(status)
        reason = describe_exit(code)
        if code == -signal.SIGKILL and (
            why := self._killings.explain(pid, began.time, peak_memory(usage))
        ):
            reason += f": {why}"
        lines = last_lines(self._log.read(max(began.log_end, self._told_end))) if code else ""
        return Death(code, reason, lines)

    def told(self) -> None:
        """A death has been told: what is in the log up to here is no news of another one."""
        self._told_end = self._log.end


def describe_exit(code: int) -> str:
    """How a process ended, from its exit code; a negative one is that of a signal."""
    if code >= 0:
        return f"exited with code {code}"
    name = signal_name(-code)
    if name not in _FAULTS:
        return f"killed by {name}"
    meaning = (signal.strsignal(-code) or "").lower()
    return f"killed by {name} ({meaning})"


def with_last_lines(reason: str, lines: str) -> str:
    """A reason, and below it the last lines of the log, if there are any."""
    if not lines:
        return reason
    indented = "\n".join(f"  {line}" for line in lines.splitlines())
    return f"{reason}; the last lines of its log:\n{indented}"
