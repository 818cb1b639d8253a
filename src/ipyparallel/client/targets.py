"""What the user may say for "which engines", and what it means."""

from __future__ import annotations

from collections.abc import Sequence
from operator import index
from typing import Any

from ..error import NoEnginesRegistered

#: An engine id, several, a slice of the list of ids, 'all', or None for all.
Targets = Any


def is_all(targets: Targets) -> bool:
    """Whether `targets` means all engines."""
    return targets is None or (isinstance(targets, str) and targets == "all")


def resolve(targets: Targets, ids: Sequence[int]) -> list[int]:
    """The engine ids that `targets` names.

    Parameters
    ----------
    targets : int, slice, list, tuple, range, set, 'all' or None
        A negative number counts from the end of the list of ids.
    ids : sequence of int
        The engines there are, in ascending order.

    Raises
    ------
    NoEnginesRegistered
        There are none at all.
    IndexError
        An engine that is not there.
    TypeError
        Not something that names engines.
    """
    if not ids:
        raise NoEnginesRegistered
    if is_all(targets):
        return list(ids)
    if isinstance(targets, (bool, str)):
        raise TypeError(f"targets must be ids, a slice of them or 'all', not {targets!r}")
    if hasattr(targets, "__index__"):  # numpy's integers, too
        return [_one(index(targets), ids)]
    if isinstance(targets, slice):
        return list(ids[targets])
    if isinstance(targets, (list, tuple, range, set, frozenset)):
        chosen = []
        for target in targets:
            if isinstance(target, bool) or not hasattr(target, "__index__"):
                raise TypeError(f"targets must be ids, and {target!r} is not one")
            chosen.append(_one(index(target), ids))
        return chosen
    raise TypeError(
        f"targets must be ids, a slice of them or 'all', not a {type(targets).__name__}"
    )


def _one(target: int, ids: Sequence[int]) -> int:
    if target < 0:
        try:
            return ids[target]
        except IndexError:
            raise IndexError(f"No such engine: {target} (there are {len(ids)})") from None
    if target not in ids:
        raise IndexError(f"No such engine: {target} (there are: {', '.join(map(str, ids))})")
    return target
