"""Waiting: for engines to come, and with a bar that shows how far it is."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

from ..error import ControllerLost, EngineError
from ..util.progress import progress as new_bar
from .ipython import get_shell
from .messaging.engines import EngineEvent, EngineTable
from .messaging.interrupts import InterruptsHeld
from .messaging.resolving import SafeFuture, resolve


def wait_for_engines(
    engines: EngineTable,
    n: int,
    timeout: float,
    *,
    lost: Callable[[], str],
    interactive: bool | None = None,
) -> None:
    """Return when there are `n` engines.

    Parameters
    ----------
    timeout : float
        Seconds; a negative number: for ever.
    lost : callable
        Says why the controller is gone, if it is.
    interactive : bool, optional
        Whether to show a bar; by default in IPython.

    Raises
    ------
    TimeoutError
        There are fewer by then.
    EngineError
        An engine left meanwhile.
    ControllerLost
        The controller is gone.
    """
    gone: list[EngineEvent] = []

    def on_event(event: EngineEvent) -> None:
        if event.event == "unregister":
            gone.append(event)
            engines.wake()

    def enough() -> bool:
        if gone:
            raise _left(gone[0])
        if reason := lost():
            raise ControllerLost(reason)
        if bar is not None:
            bar.update(len(engines) - bar.n)
        return len(engines) >= n

    if interactive is None:
        interactive = _in_ipython()
    bar = _bar(n) if interactive and len(engines) < n else None
    engines.callbacks.append(on_event)
    try:
        if not engines.wait_for(enough, None if timeout < 0 else timeout):
            raise TimeoutError(
                f"{n} engines not ready in {timeout:g} seconds. Currently ready: {len(engines)}"
            )
    finally:
        engines.callbacks.remove(on_event)
        if bar is not None:
            bar.close()


def future_engines(engines: EngineTable, n: int, *, lost: Callable[[], str]) -> Future[None]:
    """A future that is done when there are `n` engines.

    It fails when one leaves before, and when the controller is lost; see `wait_for_engines`.
    """
    future = SafeFuture()
    future.set_running_or_notify_cancel()
    gone: list[EngineEvent] = []

    def on_event(event: EngineEvent) -> None:
        if event.event == "unregister":
            gone.append(event)

    def look() -> None:
        if gone:
            resolve(future, error=_left(gone[0]))
        elif len(engines) >= n:
            resolve(future)
        elif reason := lost():
            resolve(future, error=ControllerLost(reason))

    def stop(_: object) -> None:
        engines.callbacks.remove(on_event)
        engines.watchers.remove(look)

    engines.callbacks.append(on_event)
    engines.watchers.append(look)
    future.add_done_callback(stop)
    look()
    return future


def _left(event: EngineEvent) -> EngineError:
    why = f": {event.reason}" if event.reason else ""
    return EngineError(f"engine {event.id} left while engines were waited for{why}")


def _in_ipython() -> bool:
    non_interactive = os.environ.get("IPP_NONINTERACTIVE", "") not in ("", "0")
    return not non_interactive and get_shell() is not None


def _bar(n: int) -> Any:
    return progress_bar(n, "", "engine")


# ---- with a bar


def progress_bar(total: int, desc: str, unit: str, widget: bool | None = None) -> Any:
    """A tqdm bar.

    Parameters
    ----------
    widget : bool, optional
        Whether it is a notebook widget; by default in a notebook that can show one.
    """
    with InterruptsHeld():  # tqdm keeps a bar that is half made, and stumbles over it later
        return new_bar(total=total, desc=desc, unit=unit, widget=widget)


def show_progress(
    ended: Callable[[float], bool],
    progress: Callable[[], int],
    *,
    total: int,
    desc: str,
    unit: str,
    interval: float,
    timeout: float | None,
    widget: bool | None = None,
) -> None:
    """Wait, and show how far it is, until the end or the timeout.

    Parameters
    ----------
    ended : callable
        Waits for that many seconds; says whether it is the end.
    progress : callable
        How many of `total` there are so far.
    interval : float
        Seconds between updates.
    timeout : float, optional
        Seconds; None or a negative number: for ever.
    """
    deadline = deadline_after(timeout)
    with progress_bar(total, desc, unit, widget) as bar:
        while True:
            left = None if deadline is None else deadline - time.monotonic()
            is_end = ended(interval if left is None else max(0.0, min(interval, left)))
            bar.update(progress() - bar.n)
            if is_end or (left is not None and left <= interval):
                return


def deadline_after(timeout: float | None) -> float | None:
    """The moment that many seconds from now; None for None and for a negative number."""
    return None if timeout is None or timeout < 0 else time.monotonic() + timeout


def time_left(deadline: float | None) -> float | None:
    """Seconds until a deadline, at least 0; None for none."""
    return None if deadline is None else max(0.0, deadline - time.monotonic())
