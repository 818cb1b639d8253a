"""The two ways in which a message lies in frames.

*Full*, which every Jupyter peer reads: a frame each for delimiter, signature, header, parent
header, metadata, content and every buffer. *Compact*, between peers of this package: all but the
large buffers in one frame, since each frame costs a microsecond to send and another to receive,
and a task passes four sockets. The signature is of the same bytes in both.

A compact frame is::

    marker | signature length, lengths of the four parts, number of buffers inside | their lengths
    | signature | header | parent header | metadata | content | buffers inside

Buffers that are not inside follow as frames.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Any, NamedTuple

DELIMITER = b"<IDS|MSG>"
COMPACT = b"<IDS+MSG>"

#: Frames between the delimiter and the buffers of a full message: signature and four parts.
ENVELOPE = 5

#: The buffers inside a compact frame have at most this many bytes in all.
_INSIDE = 1 << 14

_HEAD = struct.Struct(f">{len(COMPACT)}sB4IB")
_MAX_INSIDE = 16
_LENGTHS = [struct.Struct(f">{n}H") for n in range(_MAX_INSIDE + 1)]

#: A frame as it goes to or comes from a socket: bytes, or a large buffer that is not copied.
Frame = Any

#: Header, parent header, metadata and content, as JSON.
Parts = tuple[bytes, bytes, bytes, bytes]


class InvalidMessage(ValueError):
    """Frames that are not a message of this session; the text says why."""


class Unpacked(NamedTuple):
    """A message taken from its frames; nothing of it has been verified."""

    idents: list[bytes]
    signature: bytes
    parts: Parts
    buffers: list[Frame]
    compact: bool


def pack_full(signature: bytes, parts: Parts, buffers: Sequence[Frame]) -> list[Frame]:
    """The frames of a message that any peer can read."""
    return [DELIMITER, signature, *parts, *buffers]


def pack_compact(signature: bytes, parts: Parts, buffers: Sequence[Frame]) -> list[Frame]:
    """The frames of a message for a peer of this package."""
    inside: list[bytes] = []
    room = _INSIDE
    for buffer in buffers[:_MAX_INSIDE]:
        # the first that does not fit ends it: their order must be kept
        if type(buffer) is not bytes or len(buffer) > room:
            break
        inside.append(buffer)
        room -= len(buffer)
    head = _HEAD.pack(COMPACT, len(signature), *map(len, parts), len(inside))
    lengths = _LENGTHS[len(inside)].pack(*map(len, inside))
    return [b"".join((head, lengths, signature, *parts, *inside)), *buffers[len(inside) :]]


def unpack(frames: list[Frame]) -> Unpacked:
    """Take a message, in whichever way it lies, from its frames.

    Raises
    ------
    InvalidMessage
        There is none.
    """
    for at, frame in enumerate(frames):
        if frame == DELIMITER:
            return _unpack_full(frames, at)
        if type(frame) is bytes and frame.startswith(COMPACT):
            return _unpack_compact(frames, at)
    raise InvalidMessage("no delimiter: not a message of this protocol")


def _unpack_full(frames: list[Frame], at: int) -> Unpacked:
    if len(frames) - at <= ENVELOPE:
        raise InvalidMessage(
            f"truncated: {len(frames) - at - 1} frames after the delimiter, not {ENVELOPE} or more"
        )
    signature, *parts = frames[at + 1 : at + 1 + ENVELOPE]
    return Unpacked(frames[:at], signature, tuple(parts), frames[at + 1 + ENVELOPE :], False)


def _unpack_compact(frames: list[Frame], at: int) -> Unpacked:
    frame = frames[at]
    try:
        _, signature_length, h, p, m, c, inside = _HEAD.unpack_from(frame)
        lengths = _LENGTHS[inside].unpack_from(frame, _HEAD.size)
    except (struct.error, IndexError):
        raise InvalidMessage("truncated: the compact frame has no complete head") from None
    start = _HEAD.size + 2 * inside
    signature = frame[start : (start := start + signature_length)]
    header = frame[start : (start := start + h)]
    parent = frame[start : (start := start + p)]
    metadata = frame[start : (start := start + m)]
    content = frame[start : (start := start + c)]
    buffers: list[Frame] = []
    for length in lengths:
        buffers.append(frame[start : (start := start + length)])
    if start != len(frame):
        raise InvalidMessage(
            f"truncated: the compact frame has {len(frame)} bytes, and says {start}"
        )
    buffers += frames[at + 1 :]
    return Unpacked(frames[:at], signature, (header, parent, metadata, content), buffers, True)
