"""What a task waits for, as the user says it, and as the scheduler is told."""

from __future__ import annotations

from typing import Any

from ...scheduling.dependencies import Dependency


def as_dependency(name: str, value: Any) -> Dependency | None:
    """What the flags `after` and `follow` are given.

    Parameters
    ----------
    name : str
        Which of the two.
    value : str, AsyncResult, Dependency, collection of these, dict, or None
        A result of several tasks means all of them; a dict is as `Dependency.as_dict` makes it.

    Raises
    ------
    ValueError
        It is none of these.
    """
    if value is None or isinstance(value, Dependency):
        return value
    try:
        return Dependency(value)
    except (TypeError, ValueError) as e:
        raise ValueError(f"Invalid dependency: {value!r} ({name}: {e})") from None


def in_metadata(dependency: Dependency | None) -> list[str] | dict[str, Any]:
    """What the scheduler is sent: the ids alone when all of the tasks must succeed."""
    if not dependency:
        return []
    if dependency.all and dependency.success and not dependency.failure:
        return sorted(dependency)
    return dependency.as_dict()
