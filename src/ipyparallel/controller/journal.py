"""The journal: what happened to tasks, noted by the threads that serve sockets, read by the hub.

Noting costs these threads an object and an append. What it means for the records of tasks is worked
out later, in batches, by the hub's loop.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

from ..protocol.framing import ENVELOPE
from ..protocol.session import Message
from .lazy_records import ReplyRecord, RequestRecord


class Sent(NamedTuple):
    """A task went to an engine."""

    msg_id: str
    engine_uuid: str


class Ended(NamedTuple):
    """A task has ended."""

    msg_id: str
    #: The fields of its record that this sets.
    reply: Mapping[str, Any]
    #: Whether the client that submitted it was there to take the reply.
    delivered: bool


class Forsaken(NamedTuple):
    """A task has ended of which no client is known; it may have ended before, elsewhere."""

    msg_id: str
    #: As of `Ended`.
    reply: Mapping[str, Any]


class EngineDied(NamedTuple):
    """Tasks have ended with their engine."""

    msg_ids: list[str]
    engine_uuid: str
    engine_id: int
    reason: str


class MaybeDied(NamedTuple):
    """Balanced tasks may have ended with an engine: nobody knows which it had."""

    engine_id: int
    reason: str


Event = RequestRecord | Sent | Ended | Forsaken | EngineDied | MaybeDied


class Journal:
    """What has happened since it was read last.

    Parameters
    ----------
    wake : callable
        Called, in the thread that notes it, for the first event after `take`.
    payload_limit : int
        Bytes of a request's buffers; larger ones are not kept.
    """

    def __init__(self, wake: Callable[[], object], payload_limit: int) -> None:
        self._wake = wake
        self._payload_limit = payload_limit
        self._events: deque[Event] = deque()
        self._is_awake = False

    def submitted(
        self, queue: str, message: Message, frames: list[Any], engine_uuid: str = ""
    ) -> None:
        """A task came.

        Parameters
        ----------
        queue : {'mux', 'task'}
            Whether it is a direct one, or a balanced one.
        message, frames
            The request; the frames as they came.
        engine_uuid : str
            The engine of a direct one.
        """
        is_complete = sum(map(len, message.buffers)) <= self._payload_limit
        if not is_complete:
            # what lies in a compact frame is small
            envelope = 1 if message.compact else 1 + ENVELOPE
            frames = frames[: len(message.idents) + envelope]
        record = RequestRecord(queue, message.header.msg_id, frames, engine_uuid, is_complete)
        self._note(record)

    def sent(self, msg_id: str, engine_uuid: str) -> None:
        """A balanced task went to an engine."""
        self._note(Sent(msg_id, engine_uuid))

    def ended(self, msg_id: str, engine_uuid: str, frames: list[Any], delivered: bool) -> None:
        """A task has ended; `frames` are the reply."""
        reply = ReplyRecord(frames, engine_uuid, time.time())
        self._note(Ended(msg_id, reply, delivered))

    def forsaken(self, msg_id: str, engine_uuid: str, frames: list[Any]) -> None:
        """A task has ended of which no client is known; `frames` are what it would be told."""
        self._note(Forsaken(msg_id, ReplyRecord(frames, engine_uuid, time.time())))

    def engine_died(
        self, msg_ids: list[str], engine_uuid: str, engine_id: int, reason: str
    ) -> None:
        """Direct tasks have ended with their engine."""
        if msg_ids:
            self._note(EngineDied(msg_ids, engine_uuid, engine_id, reason))

    def maybe_died(self, engine_id: int, reason: str) -> None:
        """Balanced tasks may have ended with an engine: nobody knows which it had."""
        self._note(MaybeDied(engine_id, reason))

    def _note(self, event: Event) -> None:
        self._events.append(event)
        if not self._is_awake:
            self._is_awake = True
            self._wake()

    def take(self) -> Iterator[Event]:
        """The events, oldest first; gone from here."""
        self._is_awake = False
        while self._events:
            yield self._events.popleft()


class NoJournal(Journal):
    """Notes nothing: for a controller that keeps no records."""

    def __init__(self) -> None:
        super().__init__(lambda: None, 0)

    def submitted(
        self, queue: str, message: Message, frames: list[Any], engine_uuid: str = ""
    ) -> None:
        """See `Journal`."""

    def ended(self, msg_id: str, engine_uuid: str, frames: list[Any], delivered: bool) -> None:
        """See `Journal`."""

    def _note(self, event: Event) -> None:
        pass
