"""Objects whose functions bring the globals that they use, as with cloudpickle alone.

For code that was written for any pool of processes, such as joblib's, and so expects a function
of a script to see the names of the script, not those of an engine.
"""

from __future__ import annotations

import types
from typing import Any

import cloudpickle
from cloudpickle import cloudpickle as inner

from .pickler import Pickler, serialize
from .prepickled import PrePickled
from .source import Source, remember_source, source_of


class SelfContainedPickler(Pickler):
    """The pickler of this package, but for the globals of interactive functions."""

    def _dynamic_function_reduce(self, func: types.FunctionType) -> Any:
        reduced = cloudpickle.Pickler._dynamic_function_reduce(self, func)
        if (source := source_of(func.__code__)) is None:
            return reduced
        make, args, state, *_ = reduced
        return make, args, (state, source), None, None, _set_state


def _set_state(func: types.FunctionType, state: tuple[Any, Source]) -> None:
    inner._function_setstate(func, state[0])
    remember_source(state[1])


class SelfContained(PrePickled):
    """An object that is pickled now, with the globals of its functions.

    Parameters
    ----------
    obj : object
    """

    def __init__(self, obj: Any) -> None:
        self.buffers = serialize(obj, SelfContainedPickler)
        self.__name__ = str(getattr(obj, "__name__", None) or type(obj).__name__)
