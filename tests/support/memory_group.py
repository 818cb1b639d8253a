"""A control group with little memory, where one can be made: by root, on Linux."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from ipyparallel.engine.out_of_memory import GroupFiles, group_files

from .processes import wait_until

#: That bound memory and swap together, or swap.
_SWAP_LIMITS = {1: "memory.memsw.limit_in_bytes", 2: "memory.swap.max"}


@contextmanager
def memory_group(name: str, limit: int) -> Iterator[GroupFiles]:
    """Make a group of at most so many bytes, and remove it in the end.

    Raises
    ------
    OSError
        It cannot be made here; the text says why.
    """
    group = _make(name)
    try:
        group.limit.write_text(str(limit))
        swap = group.folder / _SWAP_LIMITS[group.version]
        if swap.exists():
            swap.write_text(str(limit if group.version == 1 else 0))
        yield group
    finally:
        wait_until(lambda: _removed(group.folder), "the processes of the group to end")


def _make(name: str) -> GroupFiles:
    cgroup, mounts = Path("/proc/self/cgroup"), Path("/proc/self/mountinfo")
    refused = OSError("there are no control groups for memory")
    for own in group_files(cgroup.read_text(), mounts.read_text()):
        group = GroupFiles(own.folder / name, own.version)
        try:
            group.folder.mkdir()
        except OSError as e:
            refused = e
            continue
        if group.limit.exists():
            return group
        group.folder.rmdir()  # that of a hierarchy which does not limit memory here
    raise refused


def _removed(folder: Path) -> bool:
    with suppress(OSError):
        folder.rmdir()
    return not folder.exists()
