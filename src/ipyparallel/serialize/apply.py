"""A call as frames: the function's, then those of its arguments.

The content of the request says how many frames the function has, and those of the values of each
result among the arguments (see `later`), which come last. This is how this package's own
clients and engines say it; the published one has another form, without that number, which is read
here and answered in kind.
"""

from __future__ import annotations

import pickle
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from typing import Any

import msgspec

from .culprits import find, name_of
from .functions import LoadedFunctions, PickledFunctions
from .later import UnexpectedResult, here
from .pickler import PROTOCOL, deserialize, is_plain, serialize, user_namespace
from .serialize import serialize_object, unpack_apply_message


class CallContent(msgspec.Struct):
    """Content of an ``apply_request`` in this package's form."""

    function_frames: int = 0
    #: How many frames each value has.
    value_frames: list[int] = []


_decode_content = msgspec.json.Decoder(CallContent).decode

_NO_ARGUMENTS = pickle.dumps(((), {}), PROTOCOL)
_CONTENT_ONE = b'{"function_frames":1}'


def pack_call(
    func: Any,
    args: tuple[Any, ...],
    kwargs: Mapping[str, Any],
    functions: PickledFunctions,
    results: list[Future[Any]] | None = None,
) -> tuple[bytes, list[Any]]:
    """The content and the buffers of a request to call `func`.

    Parameters
    ----------
    results : list, optional
        Gets the results that are to come among the arguments; `add_values` completes the call
        when they are there. Without it there may be none.

    Raises
    ------
    TypeError
        The function or an argument cannot be pickled; the text names which.
    """
    try:
        function_frames = functions.frames(func)
    except UnexpectedResult:
        raise
    except Exception as e:
        raise _unpicklable(f"the function {name_of(func)}", func, e) from e
    content = (
        _CONTENT_ONE
        if len(function_frames) == 1
        else b'{"function_frames":%d}' % len(function_frames)
    )
    return content, [*function_frames, *_pack_arguments(args, kwargs, func, results)]


def _pack_arguments(
    args: tuple[Any, ...],
    kwargs: Mapping[str, Any],
    func: Any,
    results: list[Future[Any]] | None,
) -> list[Any]:
    if not kwargs:
        if not args:
            return [_NO_ARGUMENTS]
        if all(map(is_plain, args)):
            return [pickle.dumps((args, kwargs), PROTOCOL)]
    before, here.results = here.results, results
    try:
        return serialize((args, dict(kwargs)))
    except UnexpectedResult:
        raise
    except Exception as e:
        raise _unpicklable_argument(args, kwargs, e, f" for {name_of(func)}") from e
    finally:
        here.results = before


def add_values(
    content: bytes, buffers: Sequence[Any], values: Sequence[Sequence[Any]]
) -> tuple[bytes, list[Any]]:
    """A call, completed by the frames of the values of the results that were among its arguments.

    Parameters
    ----------
    content, buffers
        What `pack_call` returned.
    values : sequence of sequences of frames
        In the order of the results; see `serialize`.
    """
    call = _decode_content(content)
    call.value_frames = [len(frames) for frames in values]
    return msgspec.json.encode(call), [*buffers, *(f for frames in values for f in frames)]


def _unpicklable_argument(
    args: tuple[Any, ...], kwargs: Mapping[str, Any], error: Exception, where: str
) -> TypeError:
    named = [(f"argument {i}", value) for i, value in enumerate(args)]
    named += [(f"argument {key!r}", value) for key, value in kwargs.items()]
    for name, value in named:
        try:
            serialize(value)
        except Exception as e:  # noqa: BLE001
            return _unpicklable(name, value, e, where)
    return _cannot("the arguments", error, where)


def _unpicklable(name: str, obj: Any, error: Exception, where: str = "") -> TypeError:
    path, part, inner = find(name, obj, serialize) or (name, obj, error)
    if part is not obj or not name.startswith("the function"):
        path = f"{path} (a {type(part).__name__})"
    return _cannot(path, inner, where)


def _cannot(what: str, error: Exception, where: str) -> TypeError:
    return TypeError(f"cannot pickle {what}{where}: {type(error).__name__}: {error}")


#: What is called, with what, and what makes frames of the result.
Call = tuple[Any, tuple[Any, ...], dict[str, Any], Callable[[Any], list[Any]]]


def unpack_call(content: bytes, buffers: list[Any], functions: LoadedFunctions) -> Call:
    """The call that `pack_call` packed, or a client of the published package.

    Raises
    ------
    ValueError
        It is in neither form.
    ModuleNotFoundError
        Something in it is of a module that this process cannot import.
    """
    call = _decode_content(content)
    count = call.function_frames
    if count == 0:
        return _unpack_published(buffers)
    if not 0 < count < len(buffers):
        raise ValueError(f"a call of {len(buffers)} frames, {count} of which for the function")
    func = functions.load(buffers[:count])
    arguments = buffers[count:]
    if call.value_frames:
        args, kwargs = _with_values(arguments, call.value_frames, func)
        return func, args, kwargs, serialize
    if arguments[0] == _NO_ARGUMENTS:
        return func, (), {}, serialize
    args, kwargs = deserialize(arguments, "the arguments", func)
    return func, args, kwargs, serialize


def _with_values(frames: list[Any], counts: list[int], func: Any) -> Any:
    """The arguments of a call that `add_values` has completed."""
    first = len(frames) - sum(counts)
    if first < 1 or min(counts) < 1:
        raise ValueError(f"arguments of {len(frames)} frames, with values of {counts}")
    values, place = [], first
    for count in counts:
        values.append(deserialize(frames[place : place + count], "an argument", func))
        place += count
    before, here.values = here.values, values
    try:
        return deserialize(frames[:first], "the arguments", func)
    finally:
        here.values = before


def _unpack_published(buffers: list[Any]) -> Call:
    if len(buffers) < 2:
        raise ValueError("a call without a function, in the form of the published ipyparallel")
    func, args, kwargs = unpack_apply_message(buffers, user_namespace())
    return func, args, kwargs, serialize_object
