"""Knowing that a client hears what is published.

A subscription takes a moment to reach the publisher, and what is published before is lost without
a sign. So a client subscribes to everything and then to a token of its own; who sees the token
arrive at the publisher knows that all before it has arrived, too.
"""

from __future__ import annotations

from collections.abc import Callable

#: What a token's subscription begins with.
PREFIX = b"token:"

_CHANNELS = frozenset(("notify", "output"))


class Tokens:
    """Tokens that were seen, and what waits for them."""

    def __init__(self) -> None:
        self._seen: dict[str, set[str]] = {}
        self._waiting: dict[str, Callable[[], None]] = {}

    def seen(self, channel: str, topic: bytes) -> None:
        """A subscription arrived at the publisher of a channel."""
        if not topic.startswith(PREFIX):
            return
        token = topic.removeprefix(PREFIX).decode(errors="replace")
        self._seen.setdefault(token, set()).add(channel)
        self._check(token)

    def gone(self, topic: bytes) -> None:
        """A subscription ended, with its client."""
        if not topic.startswith(PREFIX):
            return
        token = topic.removeprefix(PREFIX).decode(errors="replace")
        self._seen.pop(token, None)
        self._waiting.pop(token, None)

    def expect(self, token: str, then: Callable[[], None]) -> None:
        """Call `then` once the token was seen on all channels; at once for an empty token."""
        if not token:
            then()
            return
        self._waiting[token] = then
        self._check(token)

    def _check(self, token: str) -> None:
        if token in self._waiting and self._seen.get(token, set()) == _CHANNELS:
            del self._seen[token]
            self._waiting.pop(token)()
