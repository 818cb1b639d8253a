"""Objects and calls as frames in the published form; see `canning`."""

from __future__ import annotations

import copyreg
import io
import pickle
import types
from collections import ChainMap
from collections.abc import Mapping, Sequence
from typing import Any

from .canning import (
    CannedObject,
    Namespace,
    can,
    can_sequence,
    istype,
    sequence_types,
    uncan,
    uncan_sequence,
)
from .codeutil import reduce_code
from .missing import explained
from .prepickled import PrePickled

__all__ = [
    "MAX_BYTES",
    "MAX_ITEMS",
    "PICKLE_PROTOCOL",
    "PrePickled",
    "deserialize_object",
    "pack_apply_message",
    "sequence_types",
    "serialize_object",
    "unpack_apply_message",
]

#: Buffers of more bytes than these have frames of their own.
MAX_BYTES = 1024

#: In collections of fewer items than these, each is canned.
MAX_ITEMS = 64

PICKLE_PROTOCOL = 4


class _Pickler(pickle.Pickler):
    """Python's own, which pickles code too, and buffers of cans that are inside others."""

    dispatch_table: ChainMap[type, Any] = ChainMap(
        {types.CodeType: reduce_code, memoryview: lambda view: (bytes, (view.tobytes(),))},
        copyreg.dispatch_table,
    )


def _dumps(obj: Any) -> bytes:
    file = io.BytesIO()
    _Pickler(file, PICKLE_PROTOCOL).dump(obj)
    return file.getvalue()


def _items(obj: Any, limit: int) -> list[Any] | None:
    """The items of a collection that are canned one by one, in the order of their buffers."""
    if istype(obj, sequence_types) and len(obj) < limit:
        return list(obj)
    if istype(obj, dict) and len(obj) < limit:
        return [obj[key] for key in sorted(obj)]
    return None


def _extract_buffers(canned: Any, threshold: int) -> list[Any]:
    """Take the large buffers out of a can, and put what cannot be pickled into bytes."""
    taken = []
    if isinstance(canned, CannedObject):
        buffers: list[Any] = getattr(canned, "buffers", [])
        for i, buffer in enumerate(buffers):
            if memoryview(buffer).nbytes > threshold:
                taken.append(buffer)
                buffers[i] = None
            elif isinstance(buffer, memoryview):
                buffers[i] = buffer.tobytes()
    return taken


def _restore_buffers(canned: Any, frames: list[Any]) -> None:
    if isinstance(canned, CannedObject):
        buffers: list[Any] = getattr(canned, "buffers", [])
        for i, buffer in enumerate(buffers):
            if buffer is None:
                buffers[i] = frames.pop(0)


def serialize_object(
    obj: Any, buffer_threshold: int = MAX_BYTES, item_threshold: int = MAX_ITEMS
) -> list[Any]:
    """The frames of an object in the published form.

    Parameters
    ----------
    obj : object
    buffer_threshold : int
        Buffers of more bytes than these have frames of their own.
    item_threshold : int
        The items of lists, tuples, sets and dicts of fewer than these are canned.

    Returns
    -------
    list of bytes-like
        A pickle, then the buffers.

    Raises
    ------
    Exception
        Whatever the object's own pickling raises.
    """
    if isinstance(obj, PrePickled):
        obj = obj.load()  # it has frames of this package's own form
    if istype(obj, dict) and len(obj) < item_threshold:
        canned = {key: can(obj[key]) for key in sorted(obj)}
    elif istype(obj, sequence_types) and len(obj) < item_threshold:
        canned = can_sequence(obj)
    else:
        canned = can(obj)
    items = _items(canned, item_threshold)
    buffers = []
    for item in [canned] if items is None else items:
        buffers += _extract_buffers(item, buffer_threshold)
    return [_dumps(canned), *buffers]


def deserialize_object(buffers: Sequence[Any], g: Namespace = None) -> tuple[Any, list[Any]]:
    """The object in the first of these frames, and the frames that are left.

    Parameters
    ----------
    buffers : sequence of bytes-like
        As `serialize_object` makes them; more may follow.
    g : dict, optional
        Globals for functions that were typed.

    Raises
    ------
    ModuleNotFoundError
        Something in it is of a module that this process cannot import.
    """
    frames = list(buffers)
    head = frames.pop(0)
    try:
        canned = pickle.loads(head)
    except ModuleNotFoundError as e:
        raise explained(e, head, "what arrived") from e
    items = _items(canned, MAX_ITEMS)
    for item in [canned] if items is None else items:
        _restore_buffers(item, frames)
    if items is not None and istype(canned, sequence_types):
        return uncan_sequence(canned, g), frames
    return uncan(canned, g), frames


def pack_apply_message(
    f: Any,
    args: Sequence[Any],
    kwargs: Mapping[str, Any],
    buffer_threshold: int = MAX_BYTES,
    item_threshold: int = MAX_ITEMS,
) -> list[Any]:
    """The frames of a call in the published form; parameters as for `serialize_object`."""
    keys = sorted(kwargs)
    packed_args = [serialize_object(arg, buffer_threshold, item_threshold) for arg in args]
    packed_kwargs = [
        serialize_object(kwargs[key], buffer_threshold, item_threshold) for key in keys
    ]
    info = {"nargs": len(args), "narg_bufs": sum(map(len, packed_args)), "kw_keys": keys}
    frames = [*serialize_object(f, buffer_threshold, item_threshold), _dumps(info)]
    for packed in packed_args + packed_kwargs:
        frames += packed
    return frames


def unpack_apply_message(
    bufs: Sequence[Any], g: Namespace = None, copy: bool = True
) -> tuple[Any, tuple[Any, ...], dict[str, Any]]:
    """The function, arguments and keyword arguments of a call in the published form.

    Parameters
    ----------
    bufs : sequence of bytes-like
        As `pack_apply_message` makes them.
    g : dict, optional
        Globals for functions that were typed.
    copy : bool
        Accepted for compatibility; buffers are never copied.
    """
    f, frames = deserialize_object(bufs, g)
    info = pickle.loads(frames.pop(0))
    args = []
    for _ in range(info["nargs"]):
        arg, frames = deserialize_object(frames, g)
        args.append(arg)
    kwargs = {}
    for key in info["kw_keys"]:
        kwargs[key], frames = deserialize_object(frames, g)
    return f, tuple(args), kwargs
