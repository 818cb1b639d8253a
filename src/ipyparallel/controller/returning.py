"""Engines that come back: to a controller that has given them up, or does not know them yet.

An engine of ours whose heart is heard, or a message, though the hub does not know it, is asked to
register again: a ``return_request`` on the control channel. It keeps its uuid, its namespace, what
it runs, and its id if that is free.

Whether it can be reached on its other channels the engine cannot say while it runs something. So
it is greeted there, by relay and scheduler, until that succeeds. The same is done when the
connection to an engine that is known has broken.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Protocol

#: So many engines that were given up may come back, those that were given up last.
_MAX_GIVEN_UP = 10_000

#: Seconds between two requests to one engine to return, of which nothing but a heart is heard.
_PAUSE = 1.0


class Ask(Protocol):
    """Sends an engine a request on the control channel."""

    def __call__(self, uuid: str, msg_type: str, content: Any) -> None:
        """Send it."""


class Returning:
    """Who may come back, and is asked to.

    Parameters
    ----------
    ask : callable
        Sends an engine (uuid) a request on the control channel: its type, its content.
    now : callable
        The clock, in seconds.
    """

    def __init__(self, ask: Ask, now: Callable[[], float]) -> None:
        self._ask = ask
        self._now = now
        #: When each was asked last.
        self._asked: dict[str, float] = {}
        #: Those, of an earlier run of the controller, that are waited for.
        self.expected: set[str] = set()

    def given_up(self, uuid: str) -> None:
        """An engine is gone, as far as can be told."""
        self._asked[uuid] = float("-inf")
        if len(self._asked) > _MAX_GIVEN_UP:
            del self._asked[next(iter(self._asked))]

    def __contains__(self, uuid: object) -> bool:
        """Whether an engine may come back."""
        return uuid in self._asked

    def expect(self, uuids: Iterable[str]) -> None:
        """Engines were there in an earlier run."""
        for uuid in uuids:
            self.expected.add(uuid)
            self.given_up(uuid)

    def over(self, uuid: str) -> None:
        """An engine is back, or dead for sure."""
        self._asked.pop(uuid, None)
        self.expected.discard(uuid)

    def heard(self, uuid: str, surely: bool = False) -> None:
        """Something of an engine was heard that the hub does not know.

        Parameters
        ----------
        surely : bool
            Whether it is one of ours, known or not, and can be reached from now on: it has said so.
        """
        last = self._asked.get(uuid)
        if last is None and surely:
            self.given_up(uuid)
            last = float("-inf")
        now = self._now()
        # what it was asked before it could be reached is lost
        if last is not None and (surely or now - last >= _PAUSE):
            self._asked[uuid] = now
            self._ask(uuid, "return_request", {})


class Greetings:
    """Which engines are still to be reached, and where.

    Parameters
    ----------
    greet : callable
        Has an engine (uuid) greeted on a channel.
    """

    def __init__(self, greet: Callable[[str, str], None]) -> None:
        self._greet = greet
        self._left: dict[str, set[str]] = {}

    def __bool__(self) -> bool:
        return bool(self._left)

    def add(self, uuid: str, channels: Iterable[str]) -> None:
        """Reach an engine on these channels, maybe again."""
        self._left.setdefault(uuid, set()).update(channels)

    def reached(self, uuid: str, channel: str) -> None:
        """An engine was reached."""
        left = self._left.get(uuid)
        if left is not None:
            left.discard(channel)
            if not left:
                del self._left[uuid]

    def forget(self, uuid: str) -> None:
        """An engine is gone."""
        self._left.pop(uuid, None)

    def send(self) -> None:
        """Greet all that are left."""
        for uuid, channels in list(self._left.items()):
            for channel in sorted(channels):
                self._greet(uuid, channel)
