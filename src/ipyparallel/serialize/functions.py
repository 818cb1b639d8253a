"""Functions are pickled once and loaded once, not once a call.

A function may be kept only while nothing that its pickle depends on can have changed: its code,
and defaults and closure made of constants. Anything that can change under our hands (a list in a
closure, say) is pickled anew for each call, and loaded anew, so that two calls never share state.
"""

from __future__ import annotations

import types
import weakref
from typing import Any

from .calls import MapCall
from .pickler import deserialize, in_main, is_plain, serialize, user_namespace
from .prepickled import PrePickled
from .references import holds_reference

#: How many functions each side remembers.
LIMIT = 256

#: Larger pickles are not kept.
_MAX_BYTES = 1 << 16


#: Types with a zero of either sign.
_SIGNED = (float, complex)


def _constants(func: Any) -> tuple[Any, ...] | None:
    """All that makes `func` what it is, if that is made of constants; else None."""
    if type(func) is MapCall:
        inner = _constants(func.func)
        return None if inner is None else (MapCall, *inner)
    # a function of another module that travels by value takes that module's globals along
    if type(func) is not types.FunctionType or func.__dict__ or not in_main(func):
        return None
    parts: list[Any] = [func.__code__]
    values = list(func.__defaults__ or ())
    if func.__kwdefaults__:
        parts.append(tuple(func.__kwdefaults__))
        values += func.__kwdefaults__.values()
    for cell in func.__closure__ or ():
        try:
            values.append(cell.cell_contents)
        except ValueError:
            return None
    for value in values:
        if not is_plain(value):
            return None
        # 1, 1.0 and True are equal, and so are 0.0 and -0.0, and not the same
        parts.append((type(value), value, repr(value) if type(value) in _SIGNED else None))
    return tuple(parts)


def _is_interactive(func: Any) -> bool:
    """Whether the namespace of the user is behind the function."""
    while type(func) is MapCall:
        func = func.func
    return func.__globals__ is user_namespace()


class PickledFunctions:
    """The client's side: frames by function."""

    def __init__(self) -> None:
        self._known: dict[int, tuple[weakref.ref[Any], tuple[Any, ...], list[Any]]] = {}

    def frames(self, func: Any) -> list[Any]:
        """The frames of a function, from memory if it is the same as before."""
        constants = _constants(func)
        if constants is None:
            return func.buffers if type(func) is PrePickled else serialize(func)
        known = self._known.get(id(func))
        if known is not None and known[0]() is func and known[1] == constants:
            return known[2]
        frames = serialize(func)
        if len(frames) == 1 and len(frames[0]) <= _MAX_BYTES:
            if len(self._known) >= LIMIT:
                self._known.clear()
            self._known[id(func)] = (weakref.ref(func), constants, frames)
        return frames


class LoadedFunctions:
    """The engine's side: functions by frame."""

    def __init__(self) -> None:
        self._known: dict[bytes, Any] = {}

    def load(self, frames: list[Any]) -> Any:
        """The function in `frames`, the one loaded before if it cannot hold state."""
        if len(frames) > 1 or type(frames[0]) is not bytes:
            return deserialize(frames, "the function")
        known = self._known.get(frames[0])
        if known is not None and _is_interactive(known):
            return known
        func = deserialize(frames, "the function")
        # a module's function is loaded by name each time: the module may have been reloaded;
        # and what a reference stands for may be another function by then
        if (
            len(frames[0]) <= _MAX_BYTES
            and _constants(func) is not None
            and _is_interactive(func)
            and not holds_reference(frames[0])
        ):
            if len(self._known) >= LIMIT:
                self._known.clear()
            self._known[frames[0]] = func
        return func
