"""What it is that cannot be sent: names for functions, and for the parts of objects."""

from __future__ import annotations

import types
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any

#: How deep to look, and at how many parts of each.
_DEPTH = 8
_PARTS = 10_000


def name_of(func: Any) -> str:
    """What to call a function, or what stands for one, in an error."""
    return str(getattr(func, "__qualname__", None) or getattr(func, "__name__", None) or repr(func))


def find(path: str, obj: Any, pickles: Callable[[Any], Any]) -> tuple[str, Any, Exception] | None:
    """The innermost part of `obj` that cannot be pickled: its path, itself, and the error.

    Parameters
    ----------
    path : str
        What the object is called, such as ``argument 0``.
    obj : object
    pickles : callable
        Raises for what cannot be pickled.

    Returns
    -------
    tuple or None
        None if it can be pickled after all.
    """
    try:
        pickles(obj)
    except Exception as e:  # noqa: BLE001  (a user's class raises what it likes)
        error = e
    else:
        return None
    for _ in range(_DEPTH):
        for name, part in islice(_parts(obj), _PARTS):
            try:
                pickles(part)
            except Exception as e:  # noqa: BLE001
                path, obj, error = path + name, part, e
                break
        else:
            break
    return path, obj, error


def _parts(obj: Any) -> Iterator[tuple[str, Any]]:
    """What an object is made of, as far as that can be named."""
    if isinstance(obj, (list, tuple)):
        for i, item in enumerate(list(obj)):
            yield f"[{i}]", item
    elif isinstance(obj, dict):
        for key, value in list(obj.items()):
            yield f"[{key!r}]", value
    elif isinstance(obj, types.FunctionType):
        yield from _variables(obj)
    elif not isinstance(obj, (type, types.ModuleType)):
        for name, value in list(getattr(obj, "__dict__", {}).items()):
            yield f".{name}", value


def _variables(func: types.FunctionType) -> Iterator[tuple[str, Any]]:
    for name, cell in zip(func.__code__.co_freevars, func.__closure__ or (), strict=True):
        try:
            yield f"'s variable {name!r}", cell.cell_contents
        except ValueError:
            continue  # without a value yet
    for value in (*(func.__defaults__ or ()), *(func.__kwdefaults__ or {}).values()):
        yield "'s default", value
