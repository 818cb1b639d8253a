"""What an engine wrote to the log last: a C library's complaint, or where Python was.

All engines of a supervisor write to one log, its standard error. So what is told of one is what
was written since it began, or since another one died.
"""

from __future__ import annotations

import os
import re
import stat
from contextlib import suppress

#: Bytes at the end of the log that are looked at.
_LOOKED_AT = 1 << 16

#: Lines that are told, and characters of each.
_LINES = 10
_COLUMNS = 200

#: Lines before a fatal error that are told: a C library says there what is wrong.
_LINES_BEFORE = 3

#: What this application logs itself.
_OWN = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} \[\w+\] [A-Z]+ \| ")

#: What Python says when it dies: of which thread, and with which modules.
_FATAL = "Fatal Python error:"
_CURRENT = ("Current thread ", "Stack (most recent call first)")
_MODULES = "Extension modules:"

#: Calls by which user code is run: from the first of them on, a stack says nothing more.
_RUNS_USER_CODE = re.compile(r'\s*File ".*[/\\](ipyparallel[/\\]engine|IPython[/\\]core)[/\\]')


def last_lines(text: str) -> str:
    """The lines that say most about a death, of what was written to the log before.

    These are the last lines; or, if Python has written where it was, the beginning of that: only
    of the thread that died, since the innermost calls are those of the user.

    Returns
    -------
    str
        At most 10 lines of at most 200 characters; empty if nothing was written.
    """
    lines = [line.rstrip() for line in text.splitlines()]
    lines = [line for line in lines if line and not _OWN.match(line)]
    fatal = max((i for i, line in enumerate(lines) if line.startswith(_FATAL)), default=None)
    if fatal is None:
        told = lines[-_LINES:]
    else:
        before = lines[max(0, fatal - _LINES_BEFORE) : fatal]
        told = [*before, lines[fatal], *_stack(lines[fatal + 1 :])][:_LINES]
    return "\n".join(_cut(line) for line in told)


def _stack(lines: list[str]) -> list[str]:
    """The stack of the thread that died, among those of all: as far as it is the user's."""
    lines = [line for line in lines if not line.startswith(_MODULES)]
    start = next((i for i, line in enumerate(lines) if line.startswith(_CURRENT)), 0)
    # not if they are the first: then what died is not user code
    ours = (i for i in range(start + 2, len(lines)) if _RUNS_USER_CODE.match(lines[i]))
    return lines[start : next(ours, None)]


def _cut(line: str) -> str:
    return line if len(line) <= _COLUMNS else line[: _COLUMNS - 1] + "…"


class CommonLog:
    """The log of a supervisor and its engines, if it is a file that can be read."""

    def __init__(self, descriptor: int = 2) -> None:
        self._descriptor = descriptor

    @property
    def end(self) -> int:
        """Where it ends now; 0 if there is none."""
        try:
            status = os.fstat(self._descriptor)
        except OSError:
            return 0
        return status.st_size if stat.S_ISREG(status.st_mode) else 0

    def read(self, start: int) -> str:
        """What has been written from `start` on, or the end of that."""
        end = self.end
        if end <= start:
            return ""
        # the descriptor itself is for writing only; the file may have no name any more
        with suppress(OSError), open(f"/dev/fd/{self._descriptor}", "rb") as file:
            file.seek(max(start, end - _LOOKED_AT))
            return file.read(_LOOKED_AT).decode(errors="replace")
        return ""
