"""A call as frames: the function's, then those of its arguments.

The content of the request says how many frames the function has. This is how this package's own
clients and engines say it; the published one has another form, without that number.
"""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from typing import Any

import msgspec

from .functions import LoadedFunctions, PickledFunctions
from .pickler import PROTOCOL, deserialize, is_plain, serialize


class CallContent(msgspec.Struct):
    """Content of an ``apply_request`` in this package's form."""

    function_frames: int = 0


_decode_content = msgspec.json.Decoder(CallContent).decode

_NO_ARGUMENTS = pickle.dumps(((), {}), PROTOCOL)
_CONTENT_ONE = b'{"function_frames":1}'


def pack_call(
    func: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any], functions: PickledFunctions
) -> tuple[bytes, list[Any]]:
    """The content and the buffers of a request to call `func`.

    Raises
    ------
    TypeError
        The function or an argument cannot be pickled; the text names which.
    """
    try:
        function_frames = functions.frames(func)
    except Exception as e:
        raise _unpicklable(f"the function {_name(func)}", e) from e
    content = (
        _CONTENT_ONE
        if len(function_frames) == 1
        else b'{"function_frames":%d}' % len(function_frames)
    )
    return content, [*function_frames, *_pack_arguments(args, kwargs, func)]


def _pack_arguments(args: tuple[Any, ...], kwargs: Mapping[str, Any], func: Any) -> list[Any]:
    if not kwargs:
        if not args:
            return [_NO_ARGUMENTS]
        if all(map(is_plain, args)):
            return [pickle.dumps((args, kwargs), PROTOCOL)]
    try:
        return serialize((args, dict(kwargs)))
    except Exception as e:
        raise _unpicklable(_culprit(args, kwargs), e, f" for {_name(func)}") from e


def _culprit(args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> str:
    """Which argument it was that could not be pickled."""
    named = [(f"argument {i}", value) for i, value in enumerate(args)]
    named += [(f"argument {key!r}", value) for key, value in kwargs.items()]
    for name, value in named:
        try:
            serialize(value)
        except Exception:  # noqa: BLE001
            return f"{name} (a {type(value).__name__})"
    return "the arguments"


def _unpicklable(what: str, error: Exception, where: str = "") -> TypeError:
    return TypeError(f"cannot pickle {what}{where}: {type(error).__name__}: {error}")


def _name(func: Any) -> str:
    return str(getattr(func, "__qualname__", None) or repr(func))


def unpack_call(
    content: bytes, buffers: list[Any], functions: LoadedFunctions
) -> tuple[Any, tuple[Any, ...], dict[str, Any]]:
    """The function, arguments and keyword arguments that `pack_call` packed.

    Raises
    ------
    ValueError
        The call is not in this package's form.
    """
    count = _decode_content(content).function_frames
    if not 0 < count < len(buffers):
        raise ValueError(
            "this engine was sent a call that only engines of the published ipyparallel can read;"
            " use the ipyparallel version of the cluster in the client, too"
        )
    func = functions.load(buffers[:count])
    arguments = buffers[count:]
    if arguments[0] == _NO_ARGUMENTS:
        return func, (), {}
    args, kwargs = deserialize(arguments)
    return func, args, kwargs
