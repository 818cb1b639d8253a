"""The one pickler: cloudpickle, with the engine's namespace behind every interactive function.

What was typed at a prompt, in a notebook or in a script lives in ``__main__``. Functions and
classes from there travel by value, and the *globals* of such a function are, wherever it arrives,
the live namespace there: ``view['a'] = 5; view.apply(lambda x: a + x, 1)``. So no captured globals
are sent, which cloudpickle would do.

Nothing is registered process-wide: other users of pickle and cloudpickle see no difference.
"""

from __future__ import annotations

import functools
import io
import pickle
import sys
import types
from collections import ChainMap
from collections.abc import Sequence
from typing import Any

import cloudpickle

#: Buffers (of arrays and the like) of at least this many bytes travel in frames of their own.
BUFFER_THRESHOLD = 1024

PROTOCOL = 5

#: Anything with the buffer protocol.
Buffer = Any


def user_namespace() -> dict[str, Any]:
    """The namespace that interactive functions see in this process: that of ``__main__``.

    On an engine IPython has put the user's module there.
    """
    return sys.modules["__main__"].__dict__


def in_main(func: types.FunctionType) -> bool:
    """Whether the function is of ``__main__``: typed, or in the script itself."""
    return bool(func.__globals__.get("__name__") == "__main__")


def _reduce_cached(func: Any) -> Any:
    """A function under ``functools.cache``, which would be pickled by its name."""
    if func.__module__ != "__main__":
        return func.__reduce__()
    return _cached, (func.__wrapped__, func.cache_parameters())


def _cached(func: Any, parameters: dict[str, Any]) -> Any:
    return functools.lru_cache(**parameters)(func)


class Pickler(cloudpickle.Pickler):  # type: ignore[misc]
    """cloudpickle's pickler, but for the globals of interactive functions."""

    dispatch_table = ChainMap(
        {type(functools.cache(lambda: None)): _reduce_cached},
        cloudpickle.Pickler.dispatch_table,
    )

    def _dynamic_function_reduce(self, func: types.FunctionType) -> Any:
        if not in_main(func):
            return super()._dynamic_function_reduce(func)
        # in two steps, since a function may refer to itself through its closure
        free = len(func.__code__.co_freevars)
        state = {name: getattr(func, name) for name in _ATTRIBUTES}
        state["__dict__"] = func.__dict__
        state["__closure__"] = func.__closure__
        return _interactive_function, (func.__code__, free), state, None, None, _set_state


#: What is set on a function after it was made.
_ATTRIBUTES = (
    "__name__",
    "__qualname__",
    "__annotations__",
    "__kwdefaults__",
    "__defaults__",
    "__module__",
    "__doc__",
)


def _interactive_function(code: types.CodeType, free: int) -> types.FunctionType:
    cells = tuple(types.CellType() for _ in range(free))
    return types.FunctionType(code, user_namespace(), closure=cells or None)


def _set_state(func: types.FunctionType, state: dict[str, Any]) -> None:
    for cell, sent in zip(func.__closure__ or (), state.pop("__closure__") or (), strict=True):
        try:
            cell.cell_contents = sent.cell_contents
        except ValueError:
            continue  # a variable that has no value yet
    func.__dict__.update(state.pop("__dict__"))
    for name, value in state.items():
        setattr(func, name, value)


#: Types that plain pickle writes just as well, and ten times as fast as a new Pickler.
_PLAIN = frozenset((int, float, complex, bool, str, type(None)))
_PLAIN_BYTES = 1 << 12


def is_plain(obj: Any) -> bool:
    """Whether `obj` is a number, a short text or bytes, or None."""
    kind = type(obj)
    return kind in _PLAIN or (kind is bytes and len(obj) < _PLAIN_BYTES)


def serialize(obj: Any) -> list[Buffer]:
    """The frames of an object: its pickle, then the large buffers it holds, uncopied.

    Raises
    ------
    Exception
        Whatever the object's own pickling raises; mostly TypeError or pickle.PicklingError.
    """
    if is_plain(obj):
        return [pickle.dumps(obj, PROTOCOL)]
    file = io.BytesIO()
    buffers: list[Buffer] = []

    def out_of_band(buffer: pickle.PickleBuffer) -> bool:
        view = buffer.raw()
        if view.nbytes < BUFFER_THRESHOLD:
            return True  # stays inside the pickle
        buffers.append(view)
        return False

    Pickler(file, PROTOCOL, out_of_band).dump(obj)
    return [file.getvalue(), *buffers]


def deserialize(frames: Sequence[Buffer]) -> Any:
    """The object whose frames `serialize` made.

    Large arrays in it are read-only views of the frames.
    """
    return pickle.loads(frames[0], buffers=frames[1:])
