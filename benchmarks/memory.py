"""Processes and memory of what a driver started, read from the system."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import psutil

#: Set in a driver's environment. Every process it starts inherits it, whoever its parent becomes.
MARK = "IPP_BENCHMARK_MARK"


@dataclass(frozen=True, slots=True)
class Split:
    """A cluster's processes by what they serve."""

    controller: frozenset[int]
    engines: frozenset[int]
    host: frozenset[int]


def marked(mark: str) -> dict[int, int]:
    """Find the living processes that carry `mark`, the driver included.

    Parameters
    ----------
    mark
        The value of the variable `MARK` in their environment.

    Returns
    -------
    dict
        The parent's id by process id.
    """
    found = {}
    for process in psutil.process_iter():
        try:
            if process.environ().get(MARK) == mark and process.status() != psutil.STATUS_ZOMBIE:
                found[process.pid] = process.ppid()
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue  # gone meanwhile, or another user's
    return found


def split(parents: Mapping[int, int], controller: int, engines: Iterable[int]) -> Split:
    """Sort a cluster's processes into the controller's, the engines' and the host's.

    A process serves an engine when it is below that engine, or above it and no other. What is
    neither that nor at or below the controller serves the host: a supervisor above all engines.

    Parameters
    ----------
    parents
        The parent's id by process id, without the client.
    controller, engines
        The ids that the cluster told.
    """
    lines = {pid: _line(pid, parents) for pid in parents}
    engine_ids = set(engines)
    above: dict[int, int] = {}
    for engine in engine_ids:
        for pid in lines.get(engine, ()):
            above[pid] = above.get(pid, 0) + 1
    of_engines = {
        pid
        for pid, line in lines.items()
        if engine_ids.intersection(line) or (above.get(pid) == 1 and pid != controller)
    }
    of_controller = {pid for pid, line in lines.items() if controller in line} - of_engines
    host = set(parents) - of_engines - of_controller
    return Split(frozenset(of_controller), frozenset(of_engines), frozenset(host))


def _line(pid: int, parents: Mapping[int, int]) -> list[int]:
    """Return `pid` and its ancestors, as far as they are in `parents`."""
    line = []
    while pid in parents:
        line.append(pid)
        pid = parents[pid]
    return line


def pss(pids: Iterable[int]) -> int:
    """Return the bytes of all `pids` together, a shared page counted once among its holders."""
    return sum(_rollup(pid)["Pss"] for pid in pids)


def private(pids: Iterable[int]) -> int:
    """Return the bytes that would be free if `pids` ended (USS)."""
    return sum(rollup["Private_Clean"] + rollup["Private_Dirty"] for rollup in map(_rollup, pids))


def cpu_seconds(pids: Iterable[int]) -> float:
    """Return the processor time that `pids` have used together."""
    times = [psutil.Process(pid).cpu_times() for pid in pids]
    return sum(time.user + time.system for time in times)


def _rollup(pid: int) -> dict[str, int]:
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii").splitlines()
    fields = (line.split() for line in lines[1:])  # the first names the address range
    return {name.rstrip(":"): int(size) * 1024 for name, size, _unit in fields}
