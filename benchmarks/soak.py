"""Does memory grow with the work that was done? Many tasks, or large pushes: by hand.

    python -m benchmarks.soak --tasks 1000000 --batch 10000
    python -m benchmarks.soak --pushes 200 --size 10MB

A cluster with the default settings; every result is fetched, and dropped. Prints the memory of each
process over time, and how much it has grown since the warm-up.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import ipyparallel as ipp
from benchmarks.memory import private

#: How often to look in a run.
LOOKS = 20

#: The part of a run in which tables that are bounded fill.
WARM_UP = 0.1

#: MB by which a process may grow after that.
LIMIT = 20.0

_UNITS = {"": 1, "KB": 1_000, "MB": 1_000_000, "GB": 1_000_000_000}


class Look(NamedTuple):
    """The memory of all at one moment."""

    #: Tasks or pushes that were done.
    done: int
    #: Since the beginning.
    seconds: float
    #: MB that only this process has (USS), by its name.
    memory: dict[str, float]


class Soak:
    """A cluster, and who is looked at.

    Parameters
    ----------
    cluster : Cluster
    client : Client
        Connected to it.
    """

    def __init__(self, cluster: ipp.Cluster, client: ipp.Client) -> None:
        self._client = client
        engines = client[:].apply_sync(os.getpid)
        self._pids = {
            "controller": cluster.controller.pid,
            **{f"engine {id_}": pid for id_, pid in zip(client.ids, engines, strict=True)},
            "client": os.getpid(),
        }
        self._began = time.monotonic()

    def tasks(self, count: int, batch: int) -> Iterator[Look]:
        """Run so many balanced tasks, some at a time.

        Parameters
        ----------
        count : int
            Tasks.
        batch : int
            Tasks that are outstanding at a time.

        Yields
        ------
        Look
            Before the first batch and after each.
        """
        view = self._client.load_balanced_view()
        yield self._look(0)
        done = 0
        while done < count:
            size = min(batch, count - done)
            results = [view.apply_async(_negative, number) for number in range(size)]
            assert [result.get() for result in results] == [-number for number in range(size)]
            del results
            done += size
            yield self._look(done)

    def pushes(self, count: int, size: int) -> Iterator[Look]:
        """Push so many objects, of so many bytes, to all engines.

        Yields
        ------
        Look
            Before the first push and after each.
        """
        view = self._client[:]
        yield self._look(0)
        for number in range(1, count + 1):
            view.push({"pushed": os.urandom(size)}, block=True)
            yield self._look(number)

    def _look(self, done: int) -> Look:
        memory = {name: private([pid]) / 1e6 for name, pid in self._pids.items()}
        return Look(done, time.monotonic() - self._began, memory)


def growth(looks: list[Look], warm_up: float = WARM_UP) -> dict[str, float]:
    """How much each process has grown since the warm-up.

    Parameters
    ----------
    looks : list of Look
        From the first to the last.
    warm_up : float
        The part of the run, from 0 to 1, that does not count.

    Returns
    -------
    dict
        MB by name. Memory goes up and down: the mean of the last tenth is compared with the mean of
        the tenth after the warm-up.
    """
    warm = [look for look in looks if look.done >= warm_up * looks[-1].done]
    tenth = max(1, len(looks) // 10)
    first, last = warm[:tenth], warm[-tenth:]
    return {name: _mean(last, name) - _mean(first, name) for name in looks[0].memory}


def _mean(looks: list[Look], name: str) -> float:
    return sum(look.memory[name] for look in looks) / len(looks)


def _negative(number: int) -> int:
    return -number


def size_of(text: str) -> int:
    """The bytes that ``10MB`` or ``500 KB`` stands for."""
    found = re.fullmatch(r"(\d+) ?([KMG]B)?", text.strip().upper())
    if found is None:
        raise argparse.ArgumentTypeError(f"{text!r} is not a size such as 10MB")
    return int(found[1]) * _UNITS[found[2] or ""]


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.soak", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--tasks", type=int, default=0, help="balanced tasks to run")
    parser.add_argument("--batch", type=int, default=10_000, help="of which at a time")
    parser.add_argument("--pushes", type=int, default=0, help="pushes to all engines")
    parser.add_argument("--size", type=size_of, default="10MB", help="of each push")
    parser.add_argument("--engines", type=int, default=4)
    parser.add_argument("--json", type=Path, help="where all that was seen goes")
    parser.add_argument("--limit", type=float, default=LIMIT, help="MB a process may grow by")
    options = parser.parse_args(arguments)
    if not options.tasks and not options.pushes:
        parser.error("say how many --tasks, or --pushes")
    return options


def _show(runs: Iterator[Look], count: int) -> list[Look]:
    """Print some of the looks as they come; all of them."""
    looks: list[Look] = []
    step = count / LOOKS
    due = 0.0
    for look in runs:
        if not looks:
            print(f"{'done':>9} {'s':>7}", *(f"{name:>11}" for name in look.memory))
        looks.append(look)
        if look.done >= due:
            due += step
            memory = (f"{mb:11.1f}" for mb in look.memory.values())
            print(f"{look.done:9} {look.seconds:7.1f}", *memory, flush=True)
    return looks


def main() -> int:
    """Soak and judge.

    Returns
    -------
    int
        0 when no process has grown by more than the limit; else 1.
    """
    options = parse()
    good = True
    seen: dict[str, list[Look]] = {}
    with tempfile.TemporaryDirectory(prefix="ippb-") as profile:
        cluster = ipp.Cluster(n=options.engines, profile_dir=str(Path(profile)), log_level=30)
        with cluster as client:
            soak = Soak(cluster, client)
            for what, count, run in (
                ("tasks", options.tasks, soak.tasks(options.tasks, options.batch)),
                ("pushes", options.pushes, soak.pushes(options.pushes, options.size)),
            ):
                if not count:
                    continue
                print(f"{count:,} {what}; MB that each process has of its own (USS)")
                looks = seen[what] = _show(run, count)
                grown = growth(looks)
                print(f"growth after the first {WARM_UP:.0%}, MB:")
                print(*(f"  {name}: {mb:.1f}" for name, mb in grown.items()), sep="\n")
                rate = looks[-1].done / (looks[-1].seconds - looks[0].seconds)
                print(f"{rate:,.0f} {what} a second")
                good = good and max(grown.values()) <= options.limit
    if options.json:
        options.json.write_text(json.dumps(seen))
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
