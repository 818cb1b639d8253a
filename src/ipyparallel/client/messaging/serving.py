"""Futures that a task on an engine may wait for: the engine runs other requests meanwhile.

All waiting for a future of `concurrent.futures` is waiting for its condition (``result``,
``exception``), or for an event that ``wait`` and ``as_completed`` hang on it. So it is these two
that are other ones here, and whoever waits need not know.
"""

from __future__ import annotations

import threading
from concurrent.futures import Future
from typing import Any

from ..._host import Host


def serve_meanwhile(future: Future[Any], host: Host) -> None:
    """Have the engine run other requests while one waits for this future, which nobody does yet."""
    future._condition = _Condition(host)
    future._waiters = _Waiters(host)


def host_of(future: Future[Any]) -> Host | None:
    """The engine that runs other requests meanwhile; None if none does."""
    condition = future._condition
    return condition.host if isinstance(condition, _Condition) else None


def new_condition(host: Host | None) -> threading.Condition:
    """A condition for what comes of tasks, whose waiters wake by `notify_all` only."""
    return threading.Condition() if host is None else _Condition(host)


class _Condition(threading.Condition):
    """Woken by `notify_all` only."""

    def __init__(self, host: Host) -> None:
        super().__init__()
        self.host = host
        self._notices = 0
        self._serving = 0

    def wait(self, timeout: float | None = None) -> bool:
        if not self.host.may_serve():
            return super().wait(timeout)
        seen = self._notices
        self._serving += 1
        self.release()
        try:
            return self.host.serve(lambda: self._notices != seen, timeout)
        finally:
            self.acquire()
            self._serving -= 1

    def notify_all(self) -> None:
        self._notices += 1
        super().notify_all()
        if self._serving:
            self.host.wake()


class _Event(threading.Event):
    def __init__(self, host: Host) -> None:
        super().__init__()
        self._host = host
        self._serving = False

    def wait(self, timeout: float | None = None) -> bool:
        if self.is_set() or not self._host.may_serve():
            return super().wait(timeout)
        self._serving = True
        return self._host.serve(self.is_set, timeout)

    def set(self) -> None:
        super().set()
        if self._serving:
            self._host.wake()


class _Waiters(list[Any]):
    """Those who wait for several futures, this one among them."""

    def __init__(self, host: Host) -> None:
        super().__init__()
        self._host = host

    def append(self, waiter: Any) -> None:
        if type(waiter.event) is threading.Event:  # just made, and nobody waits for it yet
            waiter.event = _Event(self._host)
        super().append(waiter)
