"""What answers to queries have in common."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from ..error import describe_exception
from ..protocol.session import Message
from .registry import Engine, Registry


class Reply(Protocol):
    """Sends a reply."""

    def __call__(self, msg_type: str, content: Any, buffers: Sequence[Any] = ()) -> bool:
        """Send it; whether somebody was there to take it."""


def refusal(error: Exception) -> dict[str, Any]:
    """What is told of an exception: by a type that every client knows, and not where in here."""
    known = (kind.__name__ for kind in type(error).__mro__ if kind.__module__ == "builtins")
    return {**describe_exception(error), "ename": next(known)}


def guarded(
    log: logging.Logger, request: Message, reply: Reply, answer: Callable[[], object]
) -> None:
    """Answer a query; one that fails, or makes no sense, is answered by a ``hub_error``."""
    msg_type = request.header.msg_type
    try:
        answer()
    except (KeyError, IndexError, ValueError, TypeError) as e:
        log.warning("Refused a %s: %s", msg_type, e)
        log.debug("It failed here:", exc_info=True)
        reply("hub_error", refusal(e))
    except Exception as e:
        log.exception("A %s failed", msg_type)
        reply("hub_error", refusal(e))


def select(registry: Registry, targets: list[int | str] | int | str | None) -> list[Engine]:
    """The engines that ids or uuids name; all for None.

    Raises
    ------
    IndexError
        There is no such engine.
    """
    engines = registry.ready
    if targets is None or targets == "all":
        return engines
    wanted = targets if isinstance(targets, list) else [targets]
    chosen = []
    for target in wanted:
        found = [engine for engine in engines if target in (engine.id, engine.uuid)]
        if not found:
            raise IndexError(f"No such engine: {target!r}")
        chosen += found
    return chosen
