"""The old names for cutting sequences into parts; see `ipyparallel.client.partition`."""

from __future__ import annotations

from itertools import islice
from typing import Any

from .partition import Block, Partition, RoundRobin, bounds, is_array

__all__ = ["Map", "RoundRobinMap", "dists", "is_array", "mappable"]


def mappable(obj: Any) -> bool:
    """Whether `obj` is a list, a tuple or an array."""
    return isinstance(obj, (tuple, list)) or is_array(obj)


class Map:
    """Contiguous parts."""

    _partition: Partition = Block()

    def getPartition(self, seq: Any, p: int, q: int, n: int | None = None) -> Any:
        """Part number `p` of `q`.

        Parameters
        ----------
        seq : sequence or iterable
        p, q : int
        n : int, optional
            The length of `seq`, which need not have one then.

        Raises
        ------
        ValueError
            There is no such part.
        """
        if not 0 <= p < q:
            raise ValueError(f"must have 0 <= p < q, but have p={p}, q={q}")
        return self._part(seq, p, q, len(seq) if n is None else n)

    def _part(self, seq: Any, p: int, q: int, n: int) -> Any:
        start, stop = bounds(n, q)[p]
        try:
            return seq[start:stop]
        except (TypeError, KeyError):
            return list(islice(seq, start, stop))

    def joinPartitions(self, listOfPartitions: list[Any]) -> Any:
        """The sequence whose parts these are, as a list or an array; or the parts themselves."""
        return self._partition.join(list(listOfPartitions))


class RoundRobinMap(Map):
    """Every q-th element."""

    _partition: Partition = RoundRobin()

    def _part(self, seq: Any, p: int, q: int, n: int) -> Any:
        try:
            return seq[p:n:q]
        except (TypeError, KeyError):
            return list(islice(seq, p, n, q))


dists = {"b": Map, "r": RoundRobinMap}
