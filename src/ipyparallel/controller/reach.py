"""Engines that are out of reach, on their way, or silent: pings, and greetings until they answer.

What an engine's silence means is decided here. It is *away* when it has missed a few beats, and
gone when it has missed too many; see `hearts`. A connection to it that breaks means neither: it is
greeted on that channel until this succeeds, or somebody tells that it is gone; see `returning`.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable
from typing import Protocol

import zmq

from . import link
from .hearts import Hearts
from .registry import CHANNELS, Engine, Registry
from .restoration import Restoration
from .returning import Greetings, Returning

#: Seconds between pings while a published engine is coming, whose heart must be heard first, or
#: engines are to come back; and between attempts to reach these.
COMING_PERIOD = 0.25


class Hub(Protocol):
    """What is needed of the hub."""

    registry: Registry
    restoration: Restoration
    returning: Returning
    log: logging.Logger

    def engine_ready(self, engine: Engine) -> None:
        """An engine can be reached."""

    def engine_gone(self, engine: Engine, reason: str = "") -> None:
        """An engine died or left."""

    def tell(self, message: link.ToScheduler | link.ToRelay, *channels: str) -> None:
        """Send it to who serves these channels."""


class Reach:
    """See the module's text.

    Parameters
    ----------
    ping : zmq.Socket
        Heard by all hearts. A PUB, closed at the end.
    heart_period : float
        Seconds between pings.
    max_misses : int
        See `Hearts`.
    """

    def __init__(
        self, hub: Hub, ping: zmq.Socket[bytes], *, heart_period: float, max_misses: int
    ) -> None:
        self._hub = hub
        self._ping = ping
        self._ping_number = 0
        self._period = heart_period
        self._hearts = Hearts(max_misses)
        self._greetings = Greetings(self._greet)
        self._loop = asyncio.get_running_loop()
        self._beat_timer = self._loop.call_later(heart_period, self._beat)
        self._look_timer: asyncio.TimerHandle | None = None

    def close(self) -> None:
        """Ping no more."""
        self._beat_timer.cancel()
        if self._look_timer is not None:
            self._look_timer.cancel()
        self._ping.close()

    def watch(self, engine: Engine) -> None:
        """Expect an engine's heart to beat."""
        self._hearts.watch(engine.uuid)

    def leaving(self, engine: Engine) -> None:
        """An engine is gone: expect nothing of its heart."""
        self._hearts.forget(engine.uuid)

    def gone(self, engine: Engine) -> None:
        """It has been announced that an engine is gone: greet it no more."""
        self._greetings.forget(engine.uuid)

    # ---- channels

    def _greet(self, uuid: str, channel: str) -> None:
        self._hub.tell(link.Greet(uuid), channel)

    def greet_soon(self, uuid: str, channels: Iterable[str]) -> None:
        """Greet an engine on these channels until it is reached there."""
        self._greetings.add(uuid, channels)
        self.look()

    def reached(self, uuid: str, channel: str) -> None:
        """An engine can be reached on a channel."""
        self._greetings.reached(uuid, channel)
        if self._hub.registry.reached(uuid, channel):
            self._is_ready(uuid)

    def unreachable(self, uuid: str, channel: str) -> None:
        """Somebody wants to send an engine something, and it has no connection."""
        hub = self._hub
        engine = hub.registry.get(uuid)
        if engine is not None and engine.native:
            # Dead, which its agent will say, or out of the network for a while. If it is leaving,
            # everyone will be told.
            self.greet_soon(uuid, (channel,))
        elif channel == "task":
            # a published engine does not come back
            if engine is not None:
                hub.engine_gone(engine, "its connection to the controller broke")
        else:
            hub.restoration.want(uuid, channel)

    def reconnected(self, uuid: str) -> None:
        """A connection of an engine broke, and there is one again."""
        engine = self._hub.registry.get(uuid)
        if engine is None:
            self._hub.returning.heard(uuid, surely=True)
        elif engine.native:
            self.greet_soon(uuid, CHANNELS)
            self._hub.tell(link.ErrandsLost(uuid), "task")

    # ---- hearts

    def _beat(self) -> None:
        hub = self._hub
        self._beat_timer = self._loop.call_later(self._period, self._beat)
        for uuid in self._hearts.beat():
            if engine := hub.registry.get(uuid):
                if engine.native:
                    hub.returning.given_up(uuid)
                hub.engine_gone(engine, "its heart stopped beating")
        for uuid in self._hearts.take_away():
            if engine := hub.registry.get(uuid):
                hub.log.warning("Engine %d is away: nothing is heard of it", engine.id)
                hub.tell(link.EngineAway(uuid), "mux", "task")
        self._send_ping()

    def _send_ping(self) -> None:
        self._ping_number += 1
        self._ping.send(str(float(self._ping_number)).encode())

    def look(self) -> None:
        """Ping often while published engines are coming, or engines are to come back, so that they
        need not wait a period; and see whether those can be reached that could not.
        """
        if self._look_timer is not None:
            self._look_timer.cancel()
            self._look_timer = None
        hub = self._hub
        is_awaited = hub.returning.expected or any(not e.native for e in hub.registry.coming)
        if is_awaited:
            self._send_ping()
        self._greetings.send()
        if is_awaited or self._greetings:
            self._look_timer = self._loop.call_later(COMING_PERIOD, self.look)

    def heard(self, uuid: str) -> None:
        """A heart has answered."""
        hub = self._hub
        if self._hearts.pong(uuid) and (engine := hub.registry.get(uuid)):
            hub.log.info("Engine %d is heard again", engine.id)
            hub.tell(link.EngineBack(uuid), "mux", "task")
        if uuid not in hub.registry:
            hub.returning.heard(uuid)
        if hub.registry.beat(uuid):
            self._is_ready(uuid)

    def _is_ready(self, uuid: str) -> None:
        engine = self._hub.registry.get(uuid)
        assert engine is not None
        self._hub.engine_ready(engine)
