"""A process on this host, with all that it starts: begun here, or found again by its pid.

```
        start()        attach()            a thread waits for the end, then
            \\          /                   kills what is left of the session
          LocalProcess ── ended: Future ──► and tells the exit code, if it is known
```
"""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from contextlib import suppress
from pathlib import Path

import psutil

WINDOWS = sys.platform == "win32"

#: One of these is in the command line of whatever we start.
OUR_NAMES = ("ipyparallel", "ipcontroller", "ipengine", "ipcluster")

#: How often to look for a zombie where the system does not tell.
_ZOMBIE_POLL_SECONDS = 0.2

#: How long those that a process leaves behind when it ends may take to end, too: engines whose
#: supervisor has died tell the hub first.
_ORPHAN_SECONDS = 3.0
_ORPHAN_LOOK_SECONDS = 0.05

#: The processes that this one started and that still run: only one may wait for a child.
_children: dict[int, LocalProcess] = {}


class LocalProcess:
    """A process that is watched until its end; made by `start` or `attach`."""

    def __init__(self, pid: int, child: subprocess.Popen[bytes] | None = None) -> None:
        self.pid = pid
        self._child = child
        #: Resolves to the exit code, which is None for a process that is not our child.
        self.ended: Future[int | None] = Future()
        # whoever gives up waiting must not cancel it for the others
        self.ended.set_running_or_notify_cancel()

    @classmethod
    def start(
        cls,
        args: Sequence[str],
        *,
        env: Mapping[str, str],
        cwd: str,
        output: Path,
        lifeline: bool = False,
    ) -> LocalProcess:
        """Start a process in a session of its own; all it says goes to the file `output`.

        With a `lifeline` its standard input stays open for as long as this process lives, however
        that ends; see `release`.
        """
        with output.open("ab") as file:
            child = subprocess.Popen(
                args,
                env=env,
                cwd=cwd,
                stdin=subprocess.PIPE if lifeline else subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                creationflags=_creation_flags(),
            )
        process = _children[child.pid] = cls(child.pid, child)
        process._watch()
        return process

    @classmethod
    def attach(cls, pid: int) -> LocalProcess:
        """Watch a process that somebody else has started.

        Raises
        ------
        LookupError
            There is no such process, or it is none of ours: the number has been used again.
        """
        if pid in _children:
            return _children[pid]
        if not _is_ours(pid):
            raise LookupError(f"No process {pid} of ours is running")
        process = cls(pid)
        process._watch()
        return process

    @property
    def is_child(self) -> bool:
        """Whether this process has started it."""
        return self._child is not None

    def release(self) -> None:
        """Have it outlive this process after all."""
        if self._child is not None and self._child.stdin is not None:
            with suppress(OSError):  # it has ended
                self._child.stdin.write(b"k")
                self._child.stdin.flush()

    def send_signal(self, sig: int) -> None:
        """Send a signal to the process itself; nothing happens if it is gone."""
        if not self.ended.done():
            with suppress(ProcessLookupError):
                os.kill(self.pid, sig)

    def send_signal_to_children(self, sig: int) -> None:
        """Send a signal to the processes that it has started."""
        with suppress(psutil.NoSuchProcess):
            for child in psutil.Process(self.pid).children():
                with suppress(psutil.NoSuchProcess):
                    child.send_signal(sig)

    def terminate(self) -> None:
        """Ask it to end."""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """End it and all that it has started."""
        if not self.ended.done():
            if not WINDOWS:
                self.send_signal(signal.SIGKILL)
            _kill_session(self.pid)

    def _watch(self) -> None:
        threading.Thread(target=self._wait, name=f"wait-{self.pid}", daemon=True).start()

    def _wait(self) -> None:
        if self._child is not None:
            exit_code: int | None = self._child.wait()
            if self._child.stdin is not None:
                with suppress(OSError):  # what was written to it was not read
                    self._child.stdin.close()
        else:
            _wait_for_stranger(self.pid)
            exit_code = None
        _await_session(self.pid)
        _kill_session(self.pid)
        _children.pop(self.pid, None)
        self.ended.set_result(exit_code)


def _creation_flags() -> int:
    if sys.platform == "win32":
        return subprocess.CREATE_NEW_PROCESS_GROUP | subprocess.CREATE_NO_WINDOW
    return 0


def _is_ours(pid: int) -> bool:
    if pid <= 0:
        return False
    try:
        process = psutil.Process(pid)
        if process.status() == psutil.STATUS_ZOMBIE:
            return False
        command = " ".join(process.cmdline())
    except psutil.Error:
        return False
    return any(name in command for name in OUR_NAMES)


def _wait_for_stranger(pid: int) -> None:
    """Return when the process has ended.

    It has ended as a zombie, too: in a container there may be nobody who cares to reap it.
    """
    if sys.platform == "linux":
        # an OSError: it is gone already, or the system does not allow this
        with suppress(OSError):
            descriptor = os.pidfd_open(pid)
            try:
                poll = select.poll()
                poll.register(descriptor, select.POLLIN)
                poll.poll()
            finally:
                os.close(descriptor)
    with suppress(psutil.NoSuchProcess):
        process = psutil.Process(pid)
        while process.is_running() and process.status() != psutil.STATUS_ZOMBIE:
            with suppress(psutil.TimeoutExpired):
                process.wait(timeout=_ZOMBIE_POLL_SECONDS)


def _await_session(leader: int) -> None:
    """Give what the leader has left behind some time to notice, and to end well."""
    if sys.platform == "win32":
        return
    deadline = time.monotonic() + _ORPHAN_SECONDS
    while _session_members(leader) and time.monotonic() < deadline:
        time.sleep(_ORPHAN_LOOK_SECONDS)


def _kill_session(leader: int) -> None:
    """Kill the leader and the members of its session, whether the leader still lives or not.

    The number of a session is not used again while it has members. What has made a session of
    its own has asked to be left alone.
    """
    if sys.platform == "win32":
        with suppress(psutil.NoSuchProcess):
            process = psutil.Process(leader)
            for member in [*process.children(recursive=True), process]:
                with suppress(psutil.NoSuchProcess):
                    member.kill()
        return
    # again while there are any, as one may fork before it is killed; those that cannot be
    # killed (a zombie, a process in the kernel) are not waited for
    tried: set[int] = set()
    while members := _session_members(leader) - tried:
        tried |= members
        for pid in members:
            with suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)


def _is_zombie(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def _session_members(leader: int) -> set[int]:
    members = set()
    for pid in psutil.pids():
        with suppress(ProcessLookupError, PermissionError):
            if os.getsid(pid) == leader and not _is_zombie(pid):
                members.add(pid)
    return members
