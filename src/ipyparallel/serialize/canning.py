"""Objects in the published form: cans, of which the other side makes the objects again.

This is how peers of the published package send functions and arrays. Among ourselves `pickler`
does all of this; here it is for what others send, and for `can_map`, by which users say how
objects of their own types travel. Pickles name the classes of this module, and their attributes:
neither may change.
"""

from __future__ import annotations

import builtins
import copy
import functools
import importlib
import pickle
import types
from collections.abc import Callable
from typing import Any

from .can_map import CanMap
from .functional import dependent, interactive
from .pickler import use_cloudpickle, use_dill, use_pickle, user_namespace
from .prepickled import PrePickled
from .references import Reference

__all__ = [
    "CannedArray",
    "CannedBuffer",
    "CannedBytes",
    "CannedCell",
    "CannedClass",
    "CannedFunction",
    "CannedMemoryView",
    "CannedObject",
    "CannedPartial",
    "Reference",
    "can",
    "can_class",
    "can_dependent",
    "can_dict",
    "can_map",
    "can_sequence",
    "interactive",
    "istype",
    "sequence_types",
    "uncan",
    "uncan_dict",
    "uncan_map",
    "uncan_sequence",
    "use_cloudpickle",
    "use_dill",
    "use_pickle",
]

#: What functions see: the globals to make them with, None for none.
Namespace = dict[str, Any] | None

#: Pickles inside of cans are of this protocol.
_PROTOCOL = 4


class CannedObject:
    """A copy of an object, some attributes of which are canned.

    Parameters
    ----------
    obj : object
    keys : sequence of str
        The attributes to can.
    hook : callable, optional
        Called where the object arrives, with it and the namespace there.
    """

    def __init__(
        self, obj: Any, keys: Any = (), hook: Callable[[Any, Namespace], Any] | None = None
    ) -> None:
        self.keys = keys
        self.obj = copy.copy(obj)
        self.hook = can(hook)
        for key in keys:
            setattr(self.obj, key, can(getattr(obj, key)))
        self.buffers: list[Any] = []

    def get_object(self, g: Namespace = None) -> Any:
        """The object again, its functions with `g` as their globals."""
        for key in self.keys:
            setattr(self.obj, key, uncan(getattr(self.obj, key), g))
        if self.hook is not None:
            self.hook = uncan(self.hook, g)
            self.hook(self.obj, g)
        return self.obj


class CannedCell(CannedObject):
    """A variable of a closure."""

    def __init__(self, cell: types.CellType) -> None:
        self.cell_contents = can(cell.cell_contents)

    def get_object(self, g: Namespace = None) -> Any:
        """See `CannedObject`."""
        return types.CellType(uncan(self.cell_contents, g))


class CannedFunction(CannedObject):
    """A function, by its code and the name of its module."""

    def __init__(self, f: types.FunctionType) -> None:
        self.code = f.__code__
        self.defaults = [can(value) for value in f.__defaults__] if f.__defaults__ else None
        self.kwdefaults = can_dict(f.__kwdefaults__)
        self.annotations = can_dict(f.__annotations__) or None
        self.closure = tuple(can(cell) for cell in f.__closure__) if f.__closure__ else None
        self.module = f.__module__ or "__main__"
        self.__name__ = f.__name__
        self.buffers = []

    def get_object(self, g: Namespace = None) -> Any:
        """See `CannedObject`; the globals of a function of a module are those of that module."""
        func = types.FunctionType(
            self.code,
            _globals_of(self.module, g),
            self.__name__,
            tuple(uncan(value, g) for value in self.defaults) if self.defaults else None,
            tuple(uncan(cell, g) for cell in self.closure) if self.closure else None,
        )
        func.__module__ = self.module
        if self.kwdefaults:
            func.__kwdefaults__ = uncan_dict(self.kwdefaults, g)
        if self.annotations:
            func.__annotations__ = uncan_dict(self.annotations, g)
        return func


#: Modules whose functions the published package sends to engines, for pushes and the like.
_HELPERS = frozenset(
    ("ipyparallel.util", "ipyparallel.client.remotefunction", "ipyparallel.client.view")
)


def _globals_of(module: str, g: Namespace) -> dict[str, Any]:
    if module in _HELPERS:
        # whatever our modules of these names are, theirs have this
        from IPython import get_ipython

        return {"__name__": module, "__builtins__": builtins, "get_ipython": get_ipython}
    if module.startswith("__"):
        return {} if g is None else g
    try:
        return importlib.import_module(module).__dict__
    except ModuleNotFoundError as e:
        if e.name != module and not module.startswith(f"{e.name}."):
            raise
        raise ModuleNotFoundError(
            f"cannot load a function of the module {module!r}, which is not here: install it, or"
            " add its folder, as with"
            " view.execute(\"import sys; sys.path.insert(0, '/the/folder')\") for engines",
            name=e.name,
        ) from e


class CannedPartial(CannedObject):
    """A `functools.partial`; the buffers of its arguments are its own."""

    def __init__(self, f: functools.partial[Any]) -> None:
        self.func = can(f.func)
        self.args = [can(value) for value in f.args]
        self.keywords = {key: can(value) for key, value in f.keywords.items()}
        self.buffers = []
        self.arg_buffer_counts = [self._take(value) or 0 for value in self.args]
        counts = {key: self._take(value) for key, value in self.keywords.items()}
        self.keyword_buffer_counts = {
            key: count for key, count in counts.items() if count is not None
        }

    def _take(self, value: Any) -> int | None:
        """Take over the buffers of what is canned; how many there are."""
        if not isinstance(value, CannedObject):
            return None
        taken, value.buffers = value.buffers, []
        self.buffers += taken
        return len(taken)

    def get_object(self, g: Namespace = None) -> Any:
        """See `CannedObject`."""
        buffers = list(self.buffers)
        for value, count in zip(self.args, self.arg_buffer_counts, strict=True):
            _give(value, count, buffers)
        for key, count in self.keyword_buffer_counts.items():
            _give(self.keywords[key], count, buffers)
        args = [uncan(value, g) for value in self.args]
        keywords = {key: uncan(value, g) for key, value in self.keywords.items()}
        return functools.partial(uncan(self.func, g), *args, **keywords)


def _give(value: Any, count: int, buffers: list[Any]) -> None:
    if count:
        value.buffers = buffers[:count]
        del buffers[:count]


class CannedClass(CannedObject):
    """A class that was typed: by its attributes."""

    def __init__(self, cls: type) -> None:
        self.name = cls.__name__
        self.old_style = False
        self._canned_dict = {
            key: can(value)
            for key, value in vars(cls).items()
            if key not in ("__dict__", "__weakref__")
        }
        self.parents = [can(parent) for parent in cls.mro()[1:]]
        self.buffers = []

    def get_object(self, g: Namespace = None) -> Any:
        """See `CannedObject`."""
        parents = tuple(uncan(parent, g) for parent in self.parents)
        return type(self.name, parents, uncan_dict(self._canned_dict, g))


class CannedArray(CannedObject):
    """A numpy array: by its memory, or by a pickle where that does not tell what is in it."""

    def __init__(self, obj: Any) -> None:
        import numpy as np

        dtype = obj.dtype
        self.shape = obj.shape
        self.dtype = dtype.descr if dtype.fields else dtype.str
        gaps = dtype.fields and np.dtype(self.dtype) != dtype
        self.pickled = bool(dtype.hasobject or gaps or not obj.size or not obj.shape)
        if self.pickled:
            self.buffers = [pickle.dumps(obj, _PROTOCOL)]
        else:
            # as bytes: there are types, such as dates, that the buffer protocol does not know
            self.buffers = [np.ascontiguousarray(obj).reshape(-1).view("u1").data]

    def get_object(self, g: Namespace = None) -> Any:
        """See `CannedObject`; the array is a read-only view of what was received."""
        import numpy as np

        data = self.buffers[0]
        if self.pickled:
            return pickle.loads(data)
        return np.frombuffer(data, dtype=self.dtype).reshape(self.shape)


class CannedBytes(CannedObject):
    """Bytes, in a buffer of their own."""

    def __init__(self, obj: Any) -> None:
        self.buffers = [self.wrap(obj)]

    @staticmethod
    def wrap(buffer: Any) -> Any:
        """The object that a buffer is handed out as."""
        return bytes(buffer)

    def get_object(self, g: Namespace = None) -> Any:
        """See `CannedObject`."""
        return self.wrap(self.buffers[0])


class CannedMemoryView(CannedBytes):
    """A memoryview, as one of bytes."""

    @staticmethod
    def wrap(buffer: Any) -> Any:
        """See `CannedBytes`."""
        return memoryview(buffer)


CannedBuffer = CannedMemoryView


# ---- in and out


def istype(obj: Any, check: Any) -> bool:
    """Whether the type of `obj` is exactly this one, or one of these."""
    return type(obj) in check if isinstance(check, tuple) else type(obj) is check


#: Sequences the elements of which are canned.
sequence_types = (list, tuple, set)


def can(obj: Any) -> Any:
    """A can for `obj` if there are cans for its type, else `obj`."""
    canner = can_map.canner(type(obj))
    return obj if canner is None else canner(obj)


def can_class(obj: Any) -> Any:
    """A can for a class that was typed; other classes are importable."""
    return CannedClass(obj) if istype(obj, type) and obj.__module__ == "__main__" else obj


def can_dict(obj: Any) -> Any:
    """A dict with its values canned; anything else as it is."""
    return {key: can(value) for key, value in obj.items()} if istype(obj, dict) else obj


def can_sequence(obj: Any) -> Any:
    """A list, tuple or set with its elements canned; anything else as it is."""
    return type(obj)([can(item) for item in obj]) if istype(obj, sequence_types) else obj


def can_dependent(obj: dependent) -> CannedObject:
    """A can for a function with a requirement, which is looked at where it arrives."""
    canned = CannedObject(obj, keys=("f", "df"), hook=_uncan_dependent_hook)
    canned.obj.dkwargs = {
        # the published package reads cans, not what `require` pickled for us
        key: can(value.load() if isinstance(value, PrePickled) else value)
        for key, value in obj.dkwargs.items()
    }
    return canned


def _uncan_dependent_hook(dep: Any, g: Namespace = None) -> None:
    dep.check_dependency()


def uncan(obj: Any, g: Namespace = None) -> Any:
    """What is in a can, its functions with `g` as their globals; anything else as it is."""
    for kind, uncanner in uncan_map.items():
        if isinstance(obj, kind):
            return uncanner(obj, g)
    return obj


def uncan_dict(obj: Any, g: Namespace = None) -> Any:
    """The inverse of `can_dict`."""
    return {key: uncan(value, g) for key, value in obj.items()} if istype(obj, dict) else obj


def uncan_sequence(obj: Any, g: Namespace = None) -> Any:
    """The inverse of `can_sequence`."""
    return type(obj)([uncan(item, g) for item in obj]) if istype(obj, sequence_types) else obj


def uncan_here(obj: Any) -> Any:
    """What is in a can, in the namespace of the user."""
    return uncan(obj, user_namespace())


can_map: CanMap = CanMap(
    {
        types.FunctionType: CannedFunction,
        types.CellType: CannedCell,
        functools.partial: CannedPartial,
        bytes: CannedBytes,
        memoryview: CannedMemoryView,
        type: can_class,
        dependent: can_dependent,
        "numpy.ndarray": CannedArray,
    },
    uncan_here,
)

uncan_map: dict[Any, Callable[[Any, Namespace], Any]] = {
    CannedObject: lambda obj, g: obj.get_object(g),
    Reference: lambda obj, g: obj.get_object(g),
    dict: uncan_dict,
}
