"""Functions to be called on engines, under the names that older clients call."""

from __future__ import annotations

from typing import Any

from ..serialize.calls import pull, push
from ..serialize.pickler import user_namespace


def _push(**ns: Any) -> None:
    """Assign values to names in the user's namespace."""
    push(ns)


def _pull(keys: str | list[str]) -> Any:
    """The value of an expression in the user's namespace, or the list of the values of several."""
    return pull(keys)


def _execute(code: str) -> None:
    """Run code in the user's namespace."""
    exec(code, user_namespace())
