"""What the user may pass to the methods of views: checked here, before anything is sent."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ..serialize.prepickled import PrePickled
from ..serialize.references import Reference
from .partition import as_sequence


def check_flag(name: str, value: Any) -> bool:
    """`value`, which must be True or False."""
    if not isinstance(value, bool):
        raise TypeError(f"{name} must be True or False, not {value!r}")
    return value


def check_callable(func: Any) -> None:
    """Refuse what engines could not call.

    A `Reference` is looked up there, and a `PrePickled` may have been a function.
    """
    if not callable(func) and not isinstance(func, (Reference, PrePickled)):
        raise TypeError(f"a view calls functions, and {func!r} is not callable")


def check_label(label: Any) -> None:
    """Refuse what is no label."""
    if label is not None and not isinstance(label, str):
        raise TypeError(f"label must be a text, not {label!r}")


def check_name(name: Any) -> None:
    """Refuse what is no name for a value on the engines."""
    if not isinstance(name, str):
        raise TypeError(f"a name on the engines must be a str, not {name!r}")


def check_names(names: Any) -> str | list[str]:
    """One name, or the list of several."""
    if isinstance(names, str):
        return names
    if not isinstance(names, (list, tuple, set)) or not all(isinstance(n, str) for n in names):
        raise TypeError(f"pull takes a name or a list of names, not {names!r}")
    return list(names)


def check_namespace(ns: Any) -> None:
    """Refuse what is no dict of values by name."""
    if not isinstance(ns, dict):
        raise TypeError(f"push takes a dict of names and values, not a {type(ns).__name__}")
    for name in ns:
        if not isinstance(name, str):
            raise TypeError(f"push takes a dict of names and values, and {name!r} is no name")


def inputs_of_map(sequences: tuple[Iterable[Any], ...]) -> list[Any]:
    """What a map is given, as sequences that can be cut, as long as the shortest of them."""
    if not sequences:
        raise TypeError("map needs at least one sequence")
    inputs = [as_sequence(seq) for seq in sequences]
    length = min(map(len, inputs))
    return [seq if len(seq) == length else seq[:length] for seq in inputs]
