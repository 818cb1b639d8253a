"""What the machine asks of a policy."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from ..state import Engine


class Policy(Protocol):
    """Keeps the engines that may take a task, and picks one.

    The machine calls `update` after every single change of an engine's load or limit, so that a
    load that has grown tells of a task that the engine got; an engine that is full must not be
    picked.
    """

    def add(self, engine: Engine) -> None:
        """An engine joined."""

    def remove(self, engine: Engine) -> None:
        """An engine left."""

    def update(self, engine: Engine) -> None:
        """The load or the limit of an engine changed."""

    def pick(self) -> Engine | None:
        """The engine for the next task; None when all are full."""

    def pick_among(self, candidates: Iterable[Engine]) -> Engine | None:
        """Like `pick`, for a task that only some engines may run."""
