"""Who uses a file of records: controllers of one profile may share it."""

from __future__ import annotations

import os
from pathlib import Path


class Users:
    """One of those that use a file, until it is closed, or its process dies.

    Parameters
    ----------
    path : Path
        The file.

    Attributes
    ----------
    was_free : bool
        Whether nobody else used the file when this one came.
    """

    def __init__(self, path: Path) -> None:
        # beside it, since SQLite locks the file itself
        name = path.with_name(f"{path.name}-users")
        self._descriptor = os.open(name, os.O_RDWR | os.O_CREAT, 0o600)
        self.was_free = _lock(self._descriptor)

    def close(self) -> None:
        """Do not use it any more."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


def _lock(descriptor: int) -> bool:
    """Share a lock with all who have it, until the descriptor is closed; whether nobody has it."""
    try:
        import fcntl
    except ImportError:  # not on Windows, where nobody can tell
        return False
    was_free = True
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        was_free = False
    # with those, too, who come later
    fcntl.flock(descriptor, fcntl.LOCK_SH)
    return was_free
