"""Whether the kernel killed a process for want of memory: what its files say, and what they mean.

There are three sources, none of which is to be had everywhere. The kernel's log names the process,
where it may be read. The counters of the control group (of either version) say how many of its
processes were killed, by whatever limit. And where neither says anything, how much the process had
used, and how much would have been left, make it more or less likely.
"""

from __future__ import annotations

import os
import re
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import resource

#: Bytes of the longest record of the kernel's log.
_RECORD = 8192

#: Seconds by which the clock of the kernel's log may differ from ours.
_CLOCKS_DIFFER = 60.0

#: Seconds for which a kill that no death explains is kept for one.
_KEPT_KILL = 5.0

#: A limit above this is none: version 1 says so with the largest number of pages.
_NO_LIMIT = 1 << 60

#: As the kernel names it, in its newer versions and in its older ones.
_KILLED = re.compile(r"Killed process (\d+)\b|oom-kill:.*\bpid=(\d+)\b")

#: What is killed when less than this part of the memory is left may have been killed for that.
_NEARLY_USED_UP = 0.1


# ---- what the files mean


@dataclass(frozen=True)
class GroupFiles:
    """The files of a control group that tell of its memory; of either version."""

    folder: Path
    version: int

    @property
    def kills(self) -> Path:
        """Holds the number of processes that were killed."""
        return self.folder / ("memory.events" if self.version == 2 else "memory.oom_control")

    @property
    def limit(self) -> Path:
        """Holds the most bytes that it may use."""
        return self.folder / ("memory.max" if self.version == 2 else "memory.limit_in_bytes")

    @property
    def usage(self) -> Path:
        """Holds the bytes that it uses."""
        return self.folder / ("memory.current" if self.version == 2 else "memory.usage_in_bytes")


def group_files(cgroup: str, mountinfo: str) -> list[GroupFiles]:
    """The control groups that limit a process's memory: its own first, then those above it.

    Parameters
    ----------
    cgroup, mountinfo : str
        Contents of the files of these names in ``/proc/self``.
    """
    found = []
    for line in cgroup.splitlines():
        _, controllers, path = line.split(":", 2)
        if controllers and "memory" not in controllers.split(","):
            continue
        version = 1 if controllers else 2
        for root, mounted in _mounts(mountinfo, version):
            found += [
                GroupFiles(mounted / group, version)
                for group in _upwards(PurePosixPath(path), root)
            ]
    return found


def _mounts(mountinfo: str, version: int) -> Iterator[tuple[PurePosixPath, Path]]:
    """Which group is mounted where."""
    for line in mountinfo.splitlines():
        mount, _, filesystem = line.partition(" - ")
        kind, _, options = filesystem.split(" ", 2)
        is_memory = version == 2 or "memory" in options.split(",")
        if kind == ("cgroup2" if version == 2 else "cgroup") and is_memory:
            root, mounted = mount.split(" ")[3:5]
            yield PurePosixPath(root), Path(mounted)


def _upwards(path: PurePosixPath, root: PurePosixPath) -> list[PurePosixPath]:
    # in a container the name may be one that is not visible there; then what is mounted is its own
    inside = path.relative_to(root) if path.is_relative_to(root) else PurePosixPath()
    return [inside, *inside.parents]


def count_kills(text: str) -> int | None:
    """How many were killed, as the control group's file says; None if it does not."""
    for line in text.splitlines():
        name, _, value = line.partition(" ")
        if name == "oom_kill" and value.isdigit():
            return int(value)
    return None


def read_limit(text: str) -> int | None:
    """The limit in bytes that a control group's file says; None for none."""
    value = int(text) if text.strip().isdigit() else _NO_LIMIT
    return value if value < _NO_LIMIT else None


def names_as_killed(records: Iterable[str], pid: int, since: float) -> bool:
    """Whether records of the kernel's log say that a process was killed for want of memory.

    Parameters
    ----------
    records : iterable of str
        As ``/dev/kmsg`` gives them: ``3,422,34601619183,-;Memory cgroup out of memory: ...``.
    since : float
        Seconds of the kernel's clock; before, the number was another process's.
    """
    for record in records:
        prefix, _, text = record.partition(";")
        for groups in _KILLED.findall(text):
            fields = prefix.split(",")
            if str(pid) in groups and len(fields) > 2 and int(fields[2]) / 1e6 >= since:
                return True
    return False


def was_short(peak: int, left: int, total: int) -> bool:
    """Whether memory was nearly used up when a process was killed.

    Parameters
    ----------
    peak : int
        Most bytes that it had used.
    left, total : int
        Bytes that are free now that it is gone, and that there are.
    """
    return left - peak < total * _NEARLY_USED_UP


def format_bytes(size: int) -> str:
    """Such as ``512 MiB`` or ``1.5 GiB``."""
    gib = size / (1 << 30)
    return f"{gib:.3g} GiB" if gib >= 1 else f"{size / (1 << 20):.0f} MiB"


# ---- what they say now


class Killings:
    """Explains deaths by SIGKILL, in a supervisor: one after another, each once."""

    def __init__(self) -> None:
        self._counted = self._count()
        #: Kills that no death has explained yet, and when they were seen.
        self._unexplained = 0
        self._seen = 0.0

    def explain(self, pid: int, born: float, peak: int) -> str:
        """Why a process was killed, as far as that is known; empty if it is not.

        Parameters
        ----------
        born : float
            When it began, by the monotonic clock.
        peak : int
            Most bytes that it had used.
        """
        counted = self._take_count()
        if names_as_killed(_kernel_log(), pid, born - _CLOCKS_DIFFER) or counted:
            limit = _group_limit()
            allowed = f"; the limit of its control group is {format_bytes(limit)}" if limit else ""
            return f"out of memory (it had used up to {format_bytes(peak)}{allowed})"
        left, total = _memory()
        if was_short(peak, left, total):
            used, all_there_is = format_bytes(peak), format_bytes(total)
            return f"maybe out of memory (it had used up to {used} of {all_there_is})"
        return ""

    def _take_count(self) -> bool:
        """Whether there was a kill that may have been this one."""
        now, counted = time.monotonic(), self._count()
        if counted > self._counted:
            self._unexplained, self._seen = counted - self._counted, now
        elif now - self._seen > _KEPT_KILL:
            self._unexplained = 0
        self._counted = counted
        if self._unexplained == 0:
            return False
        self._unexplained -= 1
        return True

    @staticmethod
    def _count() -> int:
        # that of a group above counts the processes of others, too: it is the last resort, for
        # where nothing is counted below
        for group in _groups():
            with suppress(OSError):
                count = count_kills(group.kills.read_text())
                if count is not None:
                    return count
        return 0


def peak_memory(usage: resource.struct_rusage) -> int:
    """Most bytes that a process had used, by what the system says about it at its end."""
    return usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def _groups() -> list[GroupFiles]:
    # not once for all: a supervisor may be moved to another group
    try:
        cgroup = Path("/proc/self/cgroup").read_text()
        return group_files(cgroup, Path("/proc/self/mountinfo").read_text())
    except (OSError, ValueError):
        return []


def _kernel_log() -> Iterator[str]:
    try:
        descriptor = os.open("/dev/kmsg", os.O_RDONLY | os.O_NONBLOCK)
    except OSError:
        return
    try:
        while True:
            try:
                yield os.read(descriptor, _RECORD).decode(errors="replace")
            except BrokenPipeError:
                continue  # the next one was overwritten meanwhile
            except OSError:
                return  # there is no more, or it may not be read
    finally:
        os.close(descriptor)


def _group_limit() -> int | None:
    """The least of the limits that the control groups set."""
    limits = []
    for group in _groups():
        with suppress(OSError):
            limits.append(read_limit(group.limit.read_text()))
    return min((limit for limit in limits if limit is not None), default=None)


def _memory() -> tuple[int, int]:
    """Bytes that are free, and that there are: of the machine, or of the narrowest group."""
    import psutil

    memory = psutil.virtual_memory()
    found = [(memory.available, memory.total)]
    for group in _groups():
        with suppress(OSError, ValueError):
            limit = read_limit(group.limit.read_text())
            if limit is not None:
                found.append((limit - int(group.usage.read_text()), limit))
    return min(found)
