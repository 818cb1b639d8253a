"""The one pickler: cloudpickle, with the engine's namespace behind every interactive function.

What was typed at a prompt, in a notebook or in a script lives in ``__main__``. Functions and
classes from there travel by value, and the *globals* of such a function are, wherever it arrives,
the live namespace there: ``view['a'] = 5; view.apply(lambda x: a + x, 1)``. So no captured globals
are sent, which cloudpickle would do.

Nothing is registered process-wide: other users of pickle and cloudpickle see no difference. What
is changed, is changed here: types of this package say with `reduces` how they travel, users with
`can_map`, and `use_dill` has another library pickle what is neither function nor class.
"""

from __future__ import annotations

import functools
import io
import pickle
import sys
import types
from collections import ChainMap
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import cloudpickle
from cloudpickle import cloudpickle as inner

from .by_value import is_sent_by_value
from .bytecode import reduce_code
from .missing import explained
from .source import remember_source, source_of

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


#: How this package's own types travel, by type; functions as `pickle` calls them reducers.
reducers: dict[type, Callable[[Any], Any]] = {}

#: Gives the reducer of a type that users want to travel in their own way; None as long as none is.
_user_reducer: Callable[[type], Callable[[Any], Any] | None] | None = None


def set_user_reducer(find: Callable[[type], Callable[[Any], Any] | None] | None) -> None:
    """Have `find` say how objects of a type are reduced, or give None; for `CanMap`."""
    global _user_reducer
    _user_reducer = find


_Reducer = TypeVar("_Reducer", bound=Callable[[Any], Any])


def reduces(kind: type) -> Callable[[_Reducer], _Reducer]:
    """Have a function reduce the objects of exactly this type, here and nowhere else."""

    def register(reducer: _Reducer) -> _Reducer:
        reducers[kind] = reducer
        return reducer

    return register


@reduces(type(functools.cache(lambda: None)))
def _reduce_cached(func: Any) -> Any:
    """A function under ``functools.cache``, which would be pickled by its name."""
    if func.__module__ != "__main__" and not is_sent_by_value(func.__module__):
        return func.__reduce__()
    return _cached, (func.__wrapped__, func.cache_parameters())


def _cached(func: Any, parameters: dict[str, Any]) -> Any:
    return functools.lru_cache(**parameters)(func)


@reduces(types.ModuleType)
def _reduce_module(module: types.ModuleType) -> Any:
    if not is_sent_by_value(module.__name__):
        return inner._module_reduce(module)
    state = {key: value for key, value in vars(module).items() if key not in _OF_THE_IMPORT}
    # in two steps, since what is in the module may refer to the module
    return types.ModuleType, (module.__name__,), state


#: What a module has from being imported.
_OF_THE_IMPORT = frozenset(("__builtins__", "__cached__", "__loader__", "__spec__"))


reduces(types.CodeType)(reduce_code)


@reduces(memoryview)
def _reduce_memoryview(view: memoryview) -> Any:
    if not view.contiguous:
        return _memoryview, (view.tobytes(), view.format, view.shape)
    return _memoryview, (pickle.PickleBuffer(view), view.format, view.shape)


def _memoryview(buffer: Buffer, format: str, shape: tuple[int, ...]) -> memoryview:
    view = memoryview(buffer).cast("B")
    return view if (format, len(shape)) == ("B", 1) else view.cast(format, shape)  # type: ignore[call-overload]


class FunctionsAndClasses:
    """What all picklers of this package do alike: the part of cloudpickle's, with our changes."""

    _function_getnewargs = cloudpickle.Pickler._function_getnewargs

    def reducer_override(self, obj: Any) -> Any:
        """How `obj` is pickled, if not as ever; see `pickle.Pickler.reducer_override`."""
        kind = type(obj)
        if _user_reducer is not None and (reduce := _user_reducer(kind)) is not None:
            return reduce(obj)
        if kind is types.FunctionType:
            return self._function_reduce(obj)
        if issubclass(kind, type):
            return _reduce_class(obj)
        return NotImplemented

    def _function_reduce(self, func: types.FunctionType) -> Any:
        if is_sent_by_value(func.__module__):
            return self._dynamic_function_reduce(func)
        return cloudpickle.Pickler._function_reduce(self, func)

    def _dynamic_function_reduce(self, func: types.FunctionType) -> Any:
        if not in_main(func):
            return cloudpickle.Pickler._dynamic_function_reduce(self, func)
        # in two steps, since a function may refer to itself through its closure
        free = len(func.__code__.co_freevars)
        state = {name: getattr(func, name) for name in _ATTRIBUTES}
        state["__dict__"] = func.__dict__
        state["__closure__"] = func.__closure__
        if (source := source_of(func.__code__)) is not None:
            state["__source__"] = source
        return _interactive_function, (func.__code__, free), state, None, None, _set_state


class Pickler(FunctionsAndClasses, cloudpickle.Pickler):  # type: ignore[misc]
    """cloudpickle's pickler, but for the globals of interactive functions."""

    dispatch_table = ChainMap(reducers, cloudpickle.Pickler.dispatch_table)


def _reduce_class(cls: type) -> Any:
    if is_sent_by_value(cls.__module__):
        return inner._dynamic_class_reduce(cls)
    return inner._class_reduce(cls)


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
    if (source := state.pop("__source__", None)) is not None:
        remember_source(source)
    for name, value in state.items():
        setattr(func, name, value)


#: Types that plain pickle writes just as well, and ten times as fast as a new Pickler.
_PLAIN = frozenset((int, float, complex, bool, str, type(None)))
_PLAIN_BYTES = 1 << 12


def is_plain(obj: Any) -> bool:
    """Whether `obj` is a number, a short text or bytes, or None."""
    kind = type(obj)
    return kind in _PLAIN or (kind is bytes and len(obj) < _PLAIN_BYTES)


def serialize(obj: Any, pickler: type[Any] | None = None) -> list[Buffer]:
    """The frames of an object: its pickle, then the large buffers it holds, uncopied.

    Parameters
    ----------
    obj : object
    pickler : type, optional
        What pickles it, if not what `use_cloudpickle` and `use_dill` have chosen.

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

    (pickler or _pickler)(file, PROTOCOL, buffer_callback=out_of_band).dump(obj)
    return [file.getvalue(), *buffers]


def deserialize(frames: Sequence[Buffer], what: str = "what arrived", func: Any = None) -> Any:
    """The object whose frames `serialize` made.

    Large arrays in it are read-only views of the frames.

    Parameters
    ----------
    frames : sequence of bytes-like
    what : str
        What they hold, for the error.
    func : callable, optional
        The function whose arguments they hold.

    Raises
    ------
    ModuleNotFoundError
        Something in it is of a module that this process cannot import.
    """
    try:
        return pickle.loads(frames[0], buffers=frames[1:])
    except ModuleNotFoundError as e:
        if func is not None:
            what = f"{what} of {getattr(func, '__qualname__', None) or repr(func)}"
        raise explained(e, frames[0], what) from e


#: What pickles what this process sends.
_pickler: type[Any] = Pickler


def use_cloudpickle() -> None:
    """Have cloudpickle pickle what this process sends from now on; it is the default."""
    global _pickler
    _pickler = Pickler


def use_pickle() -> None:
    """Restore the default pickler; see `use_cloudpickle`."""
    use_cloudpickle()


def use_dill() -> None:
    """Have dill pickle what this process sends from now on.

    Functions and classes travel as they do by default, with the namespace of the engine behind
    what is interactive; dill sees to everything else.

    Raises
    ------
    ImportError
        It is not installed.
    """
    global _pickler
    try:
        from .dill_pickler import DillPickler
    except ModuleNotFoundError as e:
        if e.name != "dill":
            raise
        raise ImportError(
            "use_dill needs dill, which this process cannot import; install it with"
            " `pip install dill`, here and where the engines are",
            name="dill",
        ) from None
    _pickler = DillPickler
