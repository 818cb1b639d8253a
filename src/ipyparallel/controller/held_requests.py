"""Requests to engines that are out of reach: held back until these can be reached, or are gone."""

from __future__ import annotations

from typing import Any, NamedTuple

from ..protocol.session import Message


class Held(NamedTuple):
    """A request that was not sent."""

    message: Message
    #: What to send to the engine.
    frames: list[Any]


class HeldRequests:
    """By engine, in the order in which they came.

    Nobody else has them, so that there is no bound to how many there are, as there is none to what
    waits in the socket of an engine that is busy.
    """

    def __init__(self) -> None:
        self._away: set[str] = set()
        self._held: dict[str, list[Held]] = {}

    def holds_for(self, uuid: str) -> bool:
        """Whether requests to an engine are held: it is away, or others wait before this one."""
        return uuid in self._away or uuid in self._held

    def add(self, uuid: str, message: Message, frames: list[Any]) -> bool:
        """Hold a request; whether it is the first for an engine that is not known to be away."""
        first = not self.holds_for(uuid)
        self._held.setdefault(uuid, []).append(Held(message, frames))
        return first

    def away(self, uuid: str) -> None:
        """An engine is away."""
        self._away.add(uuid)

    def back(self, uuid: str) -> None:
        """It is not; what is held for it can be taken."""
        self._away.discard(uuid)

    def take(self, uuid: str) -> list[Held]:
        """What is to be sent, or given up, now; nothing as long as the engine is away."""
        return [] if uuid in self._away else self._held.pop(uuid, [])
