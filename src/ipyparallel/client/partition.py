"""Cutting sequences into parts and joining the parts again."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from itertools import chain, islice, pairwise
from typing import Any, Protocol


class Partition(Protocol):
    """A way to cut a sequence."""

    def cut(self, seq: Any, parts: int) -> list[Any]:
        """The sequence in so many parts."""

    def join(self, parts: list[Any]) -> Any:
        """The sequence whose parts these are."""


def is_array(obj: Any) -> bool:
    """Whether `obj` is a numpy array; numpy is not imported to find out."""
    numpy = sys.modules.get("numpy")
    return numpy is not None and isinstance(obj, numpy.ndarray)


def bounds(length: int, parts: int) -> list[tuple[int, int]]:
    """Where the parts of a sequence begin and end: as even as can be, larger ones first."""
    size, extra = divmod(length, parts)
    edges = [0]
    for i in range(parts):
        edges.append(edges[-1] + size + (i < extra))
    return list(pairwise(edges))


class Block:
    """Contiguous parts."""

    def cut(self, seq: Any, parts: int) -> list[Any]:
        """See `Partition`."""
        return [_slice(seq, start, stop) for start, stop in bounds(len(seq), parts)]

    def join(self, parts: list[Any]) -> Any:
        """See `Partition`. Lists and tuples become one list, arrays one array."""
        if not parts:
            return []
        if _are_arrays(parts):
            return _concatenate(parts)
        if _are_lists(parts):
            return list(chain.from_iterable(parts))
        return parts


class RoundRobin:
    """Every n-th element."""

    def cut(self, seq: Any, parts: int) -> list[Any]:
        """See `Partition`."""
        if not hasattr(seq, "__getitem__") or isinstance(seq, dict):
            seq = list(seq)
        return [seq[i::parts] for i in range(parts)]

    def join(self, parts: list[Any]) -> Any:
        """See `Partition`."""
        if not parts:
            return []
        if _are_arrays(parts):
            return _interleave(parts)
        if not _are_lists(parts):
            return parts
        joined = []
        for i in range(max(map(len, parts))):
            joined += [part[i] for part in parts if i < len(part)]
        return joined


#: By the name that scatter and gather take.
PARTITIONS: dict[str, Partition] = {"b": Block(), "r": RoundRobin()}


def partition_named(dist: str) -> Partition:
    """The partition of that name; ValueError names those there are."""
    try:
        return PARTITIONS[dist]
    except (KeyError, TypeError):
        raise ValueError(f"dist must be 'b' (block) or 'r' (round robin), not {dist!r}") from None


def as_sequence(obj: Any) -> Sequence[Any]:
    """`obj`, or the list of what it yields if it has no length or cannot be sliced."""
    if hasattr(obj, "__len__") and hasattr(obj, "__getitem__") and not isinstance(obj, dict):
        try:
            obj[:0]
        except (TypeError, KeyError, ValueError):
            return list(obj)  # such as a deque
        return obj  # type: ignore[no-any-return]
    try:
        iterator = iter(obj)
    except TypeError:
        kind = type(obj).__name__
        raise TypeError(f"cannot share out {obj!r}: {kind!r} is not iterable") from None
    return list(iterator)


def _slice(seq: Any, start: int, stop: int) -> Any:
    if isinstance(seq, (set, frozenset, dict)):
        return list(islice(seq, start, stop))
    return seq[start:stop]


def elements(part: Any) -> Any:
    """The elements of one part of a sequence; what cannot be joined is one element."""
    return part if _are_lists([part]) or _are_arrays([part]) else [part]


def _are_lists(parts: list[Any]) -> bool:
    return all(isinstance(part, (list, tuple, range)) for part in parts)


def _are_arrays(parts: list[Any]) -> bool:
    return all(is_array(part) and part.ndim for part in parts)


def _concatenate(parts: list[Any]) -> Any:
    import numpy

    return numpy.concatenate(parts)


def _interleave(parts: list[Any]) -> Any:
    import numpy

    joined = numpy.concatenate(parts)
    if [len(part) for part in parts] == [len(joined[i :: len(parts)]) for i in range(len(parts))]:
        for i, part in enumerate(parts):
            joined[i :: len(parts)] = part
        return joined
    # made of other lengths than they were cut: in turn, too, as long as there are elements
    turns = numpy.concatenate([numpy.arange(len(part)) for part in parts])
    return joined[numpy.argsort(turns, kind="stable")]
