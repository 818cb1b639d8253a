"""Whether the connections to a controller are there, and what is done when one is not."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import Any

import zmq

from ...transport.liveness import Patience, is_connected, refused
from ...transport.sockets import descriptor, receive

#: Seconds that a controller is gone before this is told; one that is not waited for is given up.
_TELL_AFTER = 1.5


class Outages:
    """Watches connections. For one thread.

    Parameters
    ----------
    controller : str
        The address by which it is found out whether somebody listens.
    on_broken, on_mended : callable
        Called when a connection broke, and when all that broke are there again.
    on_away : callable
        Told how many seconds a controller that is gone is waited for, if it is worth telling.
    on_lost : callable
        Told why it is not waited for any longer.
    """

    def __init__(
        self,
        controller: str,
        *,
        on_broken: Callable[[], None],
        on_mended: Callable[[], None],
        on_away: Callable[[float], None],
        on_lost: Callable[[str], None],
    ) -> None:
        self._controller = controller
        self._on_broken = on_broken
        self._on_mended = on_mended
        self._on_away = on_away
        self._on_lost = on_lost
        self._monitors: dict[int, zmq.Socket[bytes]] = {}
        self._broken: set[int] = set()
        self._patience = Patience()
        self._told_away = False

    def watch(self, monitor: zmq.Socket[bytes]) -> None:
        """Watch what a monitor tells; see `liveness.watch`."""
        self._monitors[descriptor(monitor)] = monitor

    @property
    def descriptors(self) -> list[int]:
        """One of them is readable when there is something to `read`."""
        return list(self._monitors)

    @property
    def waiting(self) -> bool:
        """Whether a connection is broken, and may come back; then `look` is to be called."""
        return self._patience.waiting

    def wait_longer(self, seconds: float) -> None:
        """Give a controller that is gone at least so many seconds to come back."""
        self._patience.last(seconds)

    def read(self, descriptors: Iterable[int]) -> None:
        """Read the monitors among these, which are ready."""
        for number in descriptors:
            monitor = self._monitors.get(number)
            while monitor is not None:
                try:
                    frames = receive(monitor)
                except zmq.Again:
                    break
                self._take(number, frames)

    def _take(self, number: int, frames: list[Any]) -> None:
        if not is_connected(frames):
            self._broken.add(number)
            self._patience.lost(time.monotonic())
            self._on_broken()
            return
        self._broken.discard(number)
        if self._patience.waiting and not self._broken:
            self._patience.connected()
            self._told_away = False
            self._on_mended()

    def look(self) -> None:
        """Look whether somebody listens, and give up if that was in vain for too long."""
        now = time.monotonic()
        is_refused = refused(self._controller)
        if self._patience.is_over(now, is_refused):
            self._patience.connected()
            how = "nobody listens at" if is_refused else "no answer from"
            self._on_lost(f"the controller is gone ({how} {self._controller})")
        elif self._patience.lost_for(now) > _TELL_AFTER and not self._told_away:
            self._told_away = True
            self._on_away(self._patience.refused_for)

    def close(self) -> None:
        """Close the monitors."""
        for monitor in self._monitors.values():
            monitor.close()
