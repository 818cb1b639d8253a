"""Which address to use for a controller that listens on every one of its host."""

from __future__ import annotations

import shutil
import socket
import stat
import tempfile
from contextlib import suppress
from pathlib import Path

import psutil

#: What a controller's address may be when it listens on all addresses of its host.
ANY = frozenset(("0.0.0.0", "*", "::"))

_LOOPBACK = frozenset(("127.0.0.1", "localhost", "::1"))


def is_local(location: str) -> bool:
    """Whether `location`, a host name or an address, is this host."""
    if not location or location in _LOOPBACK or location == socket.gethostname():
        return True
    addresses = {entry.address for entries in psutil.net_if_addrs().values() for entry in entries}
    return location in addresses


def reachable(interface: str, location: str) -> str:
    """The interface of a connection file as a peer has to use it.

    Parameters
    ----------
    interface : str
        Such as ``tcp://0.0.0.0``.
    location : str
        Host of the controller.

    Returns
    -------
    str
        `interface`, with an address instead of "any address".
    """
    scheme, _, host = interface.partition("://")
    if scheme != "tcp" or host not in ANY:
        return interface
    return f"tcp://{'127.0.0.1' if is_local(location) else location}"


def is_loopback(interface: str) -> bool:
    """Whether only this host can reach the interface."""
    scheme, _, host = interface.partition("://")
    return scheme == "ipc" or host in _LOOPBACK


class SocketFolder:
    """A private folder for the ipc sockets of one controller.

    Socket paths are limited to about a hundred bytes, so it is in the system's folder for
    temporary files. What controllers that were killed left there is removed: each holds a lock on
    its folder for as long as it lives.

    Parameters
    ----------
    again : Path, optional
        The folder of an earlier run that is to be used again; it need not be there any more.

    Raises
    ------
    OSError
        The folder cannot be used, or belongs to a controller that is running.
    """

    def __init__(self, again: Path | None = None) -> None:
        import fcntl  # there are no such sockets where there is no such module

        root = Path(tempfile.gettempdir())
        if len(str(root)) > 60:
            root = Path("/tmp")
        parent = again.parent if again else root / f"ipyparallel-{psutil.Process().username()}"
        parent.mkdir(mode=0o700, exist_ok=True)
        status = parent.lstat()  # not what a link that somebody put there leads to
        is_ours = status.st_uid == psutil.Process().uids().effective
        if not (stat.S_ISDIR(status.st_mode) and is_ours) or status.st_mode & 0o077:
            raise PermissionError(f"{parent} must belong to you, and only you may read it (0700)")
        if again:
            self.path = again
            self.path.mkdir(mode=0o700, exist_ok=True)
        else:
            self.path = Path(tempfile.mkdtemp(dir=parent))
        self._lock = (self.path / "lock").open("w")
        try:
            # one that is looking what was left behind may hold that of a new one, for a moment
            fcntl.flock(self._lock, fcntl.LOCK_EX | (fcntl.LOCK_NB if again else 0))
        except OSError:
            self._lock.close()
            raise OSError(f"a controller is running that uses {self.path}") from None
        for folder in parent.iterdir():
            if folder != self.path:
                _remove_if_left_behind(folder)

    @property
    def interface(self) -> str:
        """What the connection files say; a colon and a number follow."""
        return f"ipc://{self.path}/s"

    def remove(self) -> None:
        """Remove the folder and the sockets in it."""
        shutil.rmtree(self.path, ignore_errors=True)
        self._lock.close()


def _remove_if_left_behind(folder: Path) -> None:
    """Remove the folder of a controller, unless that controller is alive."""
    import fcntl

    # no such file: it is just being made, or removed
    with suppress(OSError), (folder / "lock").open("r+") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        shutil.rmtree(folder, ignore_errors=True)
