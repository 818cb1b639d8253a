"""What a crowd of tasks costs those who are not in it: for either ipyparallel."""

import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any


def noop() -> None:
    """Do nothing."""


def wait_for(path: str) -> None:
    """Run until there is a file of that name."""
    import os
    import time

    while not os.path.exists(path):
        time.sleep(0.01)


def nap() -> None:
    """Take ten milliseconds."""
    import time

    time.sleep(0.01)


@contextmanager
def gates(view: Any, number: int) -> Iterator[list[Any]]:
    """So many tasks that run for as long as the context lasts."""
    with tempfile.TemporaryDirectory() as folder:
        gate = Path(folder, "open")
        results = [view.apply_async(wait_for, str(gate)) for _ in range(number)]
        while sum(engine["tasks"] for engine in _loads(view)) < number:
            time.sleep(0.01)
        try:
            yield results
        finally:
            gate.touch()
            for result in results:
                result.get(30)


def _loads(view: Any) -> list[dict[str, int]]:
    return [load for load in view.client.queue_status().values() if isinstance(load, dict)]


def blocked_ahead(view: Any, blocked: int, free: int, rounds: int) -> float:
    """Cost of a free task with so many ahead that wait for another, against none ahead.

    In turn, with one engine taken by what they wait for in both cases.
    """
    ratios = []
    for _ in range(rounds):
        with gates(view, 1):
            alone = _seconds(view, free)
        with gates(view, 1) as gate, view.temp_flags(after=gate):
            waiting = [view.apply_async(noop) for _ in range(blocked)]
            with view.temp_flags(after=None):
                behind = _seconds(view, free)
        for result in waiting:
            result.get()
        ratios.append(behind / alone)
    return statistics.median(ratios)


def _seconds(view: Any, count: int) -> float:
    began = time.perf_counter()
    results = [view.apply_async(noop) for _ in range(count)]
    for result in results:
        result.get()
    return time.perf_counter() - began


def outstanding(view: Any, engines: int, crowd: int, count: int) -> float:
    """Cost of a submission with so many tasks outstanding, against few.

    All engines are busy meanwhile, and stay so: the cluster is to be stopped after this.
    """
    results: list[Any] = []

    def submit(number: int) -> float:
        began = time.perf_counter()
        results.extend(view.apply_async(noop) for _ in range(number))
        return (time.perf_counter() - began) / number

    gate = gates(view, engines)
    gate.__enter__()
    submit(count)
    few = submit(count)
    submit(crowd)
    # the controller takes in what was sent, and takes processor time to do so
    while view.client.queue_status()["unassigned"] < crowd:
        time.sleep(0.1)
    return submit(count) / few


def fairness(first: Any, second: Any, crowd: int, rounds: int) -> float:
    """Time of ten tasks of a client while another's wait, against that on an idle cluster.

    Tasks take 10 ms each. The cluster is to be stopped after this.
    """

    def ten() -> float:
        began = time.perf_counter()
        for result in [second.apply_async(nap) for _ in range(10)]:
            result.get()
        return time.perf_counter() - began

    ten()
    idle = statistics.median(ten() for _ in range(rounds))
    kept = [first.apply_async(nap) for _ in range(crowd)]
    while first.client.queue_status()["unassigned"] < crowd * 0.9:
        time.sleep(0.1)
    busy = statistics.median(ten() for _ in range(rounds))
    assert not kept[-1].ready(), "the crowd was gone before the end"
    return busy / idle


def lazy_map(view: Any, items: int) -> None:
    """Go through a lazy map of so many items, keeping none."""
    for _ in view.imap(abs, range(items), ordered=True):
        pass
