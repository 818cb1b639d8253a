"""A client that submits tasks of all kinds until it is told to stop, and reports how each ended.

A script, run as ``python load.py CONNECTION_FILE SEED STOP REPORT KEEPS``: it stops when the file
STOP appears, waits for what is outstanding, and writes the report.
"""

from __future__ import annotations

import json
import os
import random
import sys
import time
import zlib
from collections import Counter, deque
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import ipyparallel as ipp

#: Tasks that are outstanding at a time.
WINDOW = 50

#: Seconds that what is outstanding has to end after the stop.
PATIENCE = 60.0

#: Seconds to wait for the oldest task before looking at the others.
_LOOK = 0.05


# ---- what engines run


def square(x: int) -> int:
    return x * x


def slow(seconds: float) -> float:
    import time

    time.sleep(seconds)
    return seconds


def fail(x: int) -> None:
    raise ValueError(f"told to fail: {x}")


def fail_often(x: int) -> int:
    import random

    if random.random() < 0.5:
        raise ConnectionError("not this time")
    return x


def add(a: int, b: int) -> int:
    return a + b


def checksum(data: bytes) -> int:
    import zlib

    return zlib.crc32(data)


def echo(data: bytes) -> bytes:
    return data


# ---- how they end


class Refused(Exception):
    """There was no engine to submit this to."""


class Case(NamedTuple):
    """A task, and what it may end with."""

    name: str
    result: ipp.AsyncResult
    #: What it is to give; ``...``: anything.
    value: Any = None
    #: What it is to fail with, and what that says.
    failure: type[BaseException] | None = None
    text: str = ""
    #: Whether the engine that runs it may die, and the task with it.
    mortal: bool = True
    #: What else may happen to it.
    allowed: tuple[type[BaseException], ...] = ()

    def outcome(self, keeps: bool) -> str:
        """How it ended; what should not be begins with ``WRONG``.

        Parameters
        ----------
        keeps : bool
            Whether the client keeps what it has sent, so that it can send it again.
        """
        try:
            value = self.result.get()
        except BaseException as error:  # noqa: BLE001  (all of them are judged)
            return self._failed(error, keeps)
        if self.failure is not None or self.value not in (value, ...):
            return f"WRONG: {self.name} gave {str(value)[:200]!r}"
        return "right"

    def _failed(self, error: BaseException, keeps: bool) -> str:
        name = getattr(error, "ename", type(error).__name__)
        if self.failure is not None and isinstance(error, self.failure) and self.text in str(error):
            return "right"
        is_lost = isinstance(error, ipp.ControllerLost)
        if is_lost and not keeps and "the connection to the controller broke" in str(error):
            # it was on its way, or its result was, and nobody has it any more
            return name
        died = isinstance(error, ipp.EngineError) and not is_lost
        if (self.mortal and died) or isinstance(error, self.allowed):
            return name
        return f"WRONG: {self.name} raised {name}: {error}"


class Load:
    """The tasks of one client."""

    def __init__(self, client: ipp.Client, seed: int) -> None:
        self._client = client
        self._rng = random.Random(seed)
        self._view = client.load_balanced_view()
        self._persistent = client.load_balanced_view(retries=10)
        self._kinds: list[Callable[[], Case]] = [
            self._quick,
            self._quick,
            self._persistent_quick,
            self._direct,
            self._direct,
            self._slow,
            self._direct_slow,
            self._failing,
            self._retried,
            self._after,
            self._argument,
            self._large,
            self._large_direct,
            self._cell,
            self._cancelled,
            self._limited,
        ]

    def submit(self) -> Case:
        """Begin one more; at times ask the hub something first."""
        if self._rng.random() < 0.02:
            self._ask()
        try:
            return self._rng.choice(self._kinds)()
        except (IndexError, ipp.NoEnginesRegistered) as error:
            raise Refused from error

    def _engine(self) -> ipp.DirectView:
        ids = self._client.ids
        if not ids:
            raise Refused
        return self._client[self._rng.choice(ids)]

    def _ask(self) -> None:
        status = self._client.queue_status()
        assert "unassigned" in status, status
        newest = self._client.history[-1:]
        found = self._client.db_query({"msg_id": {"$in": newest}}, keys=["queue"])
        assert all(record["queue"] in ("mux", "task") for record in found), found

    def _number(self) -> int:
        return self._rng.randrange(1_000_000)

    def _quick(self) -> Case:
        x = self._number()
        return Case("quick", self._view.apply_async(square, x), x * x)

    def _persistent_quick(self) -> Case:
        x = self._number()
        return Case("persistent", self._persistent.apply_async(square, x), x * x, mortal=False)

    def _direct(self) -> Case:
        x = self._number()
        return Case("direct", self._engine().apply_async(square, x), x * x)

    def _slow(self) -> Case:
        seconds = self._rng.uniform(0.05, 0.4)
        return Case("slow", self._view.apply_async(slow, seconds), seconds)

    def _direct_slow(self) -> Case:
        seconds = self._rng.uniform(0.05, 0.2)
        return Case("direct slow", self._engine().apply_async(slow, seconds), seconds)

    def _failing(self) -> Case:
        x = self._number()
        result = self._view.apply_async(fail, x)
        return Case("failing", result, failure=ValueError, text=f"told to fail: {x}")

    def _retried(self) -> Case:
        x = self._number()
        result = self._persistent.apply_async(fail_often, x)
        return Case("retried", result, x, mortal=False, allowed=(ConnectionError,))

    def _after(self) -> Case:
        first = self._view.apply_async(square, 2)
        with self._view.temp_flags(after=[first]):
            result = self._view.apply_async(square, 3)
        return Case("after", result, 9, allowed=(ipp.ImpossibleDependency,))

    def _argument(self) -> Case:
        x, y = self._number(), self._number()
        first = self._view.apply_async(square, x)
        result = self._view.apply_async(add, first, y)
        return Case("argument", result, x * x + y, allowed=(ipp.ImpossibleDependency,))

    def _large(self) -> Case:
        data = self._rng.randbytes(1_000_000)
        return Case("large", self._view.apply_async(checksum, data), zlib.crc32(data))

    def _large_direct(self) -> Case:
        data = self._rng.randbytes(200_000)
        return Case("large direct", self._engine().apply_async(echo, data), data)

    def _cell(self) -> Case:
        result = self._engine().execute("print('hello'); x = 1", silent=False)
        return Case("cell", result, ...)

    def _cancelled(self) -> Case:
        result = self._view.apply_async(slow, 0.3)
        result.cancel()
        return Case("cancelled", result, 0.3, allowed=(ipp.TaskAborted,))

    def _limited(self) -> Case:
        with self._view.temp_flags(time_limit=0.2):
            result = self._view.apply_async(slow, 30)
        # aborted: a controller that has died since had just told the engine to end it
        allowed = (ipp.TaskAborted,)
        return Case("limited", result, None, ipp.TaskTimeout, "time limit", allowed=allowed)


def main(file: str, seed: str, stop: str, report: str, keeps: str) -> None:
    """Submit until the stop; wait; report."""
    client = _connect(file)
    load = Load(client, int(seed))
    outcomes: Counter[str] = Counter()
    cases: deque[Case] = deque()
    while not os.path.exists(stop):
        while len(cases) < WINDOW:
            try:
                cases.append(load.submit())
            except Refused:
                outcomes["refused"] += 1
                break
        _harvest(cases, outcomes, bool(keeps))
    stopped = time.monotonic()
    last: list[str] = []
    while cases and (seconds := time.monotonic() - stopped) < PATIENCE:
        last += [f"{seconds:.1f} {ended}" for ended in _harvest(cases, outcomes, bool(keeps))]
    unfinished = [f"{case.name} {case.result.msg_ids}" for case in cases]
    content = {"outcomes": outcomes, "unfinished": unfinished, "last": last[-5:]}
    Path(report).write_text(json.dumps(content, indent=1))
    client.close()


def _connect(file: str) -> ipp.Client:
    while True:
        try:
            return ipp.Client(file, timeout=20)
        except ipp.ControllerLost:
            # it died before it could say that it is to be waited for
            time.sleep(_LOOK)


def _harvest(cases: deque[Case], outcomes: Counter[str], keeps: bool) -> list[str]:
    """Take out those that have ended; what they were, and how they ended."""
    ended = []
    if cases:
        cases[0].result.wait(_LOOK)
    else:
        time.sleep(_LOOK)
    for _ in range(len(cases)):
        case = cases.popleft()
        if case.result.ready():
            outcome = case.outcome(keeps)
            outcomes[outcome] += 1
            ended.append(
                f"{case.name} {case.result.msg_ids[0]} on {case.result.engine_id}: {outcome}"
            )
        else:
            cases.append(case)
    return ended


if __name__ == "__main__":
    main(*sys.argv[1:])
