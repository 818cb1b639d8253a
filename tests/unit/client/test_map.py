"""The old names of partitions."""

import numpy as np
import pytest

from ipyparallel.client.map import Map, RoundRobinMap, dists, mappable


def test_the_kinds_there_are():
    assert dists == {"b": Map, "r": RoundRobinMap}


@pytest.mark.parametrize(
    ("dist", "expected"),
    [("b", [[0, 1, 2, 3], [4, 5, 6], [7, 8, 9]]), ("r", [[0, 3, 6, 9], [1, 4, 7], [2, 5, 8]])],
)
@pytest.mark.parametrize("make", [list, tuple, range, np.array, set])
def test_parts_by_number(dist, expected, make):
    seq = range(10) if make is range else make(range(10))
    parts = [dists[dist]().getPartition(seq, i, 3) for i in range(3)]
    assert [list(part) for part in parts] == expected


@pytest.mark.parametrize(("dist", "expected"), [("b", [3, 4]), ("r", [1, 3])])
def test_an_iterator_has_the_length_that_is_told(dist, expected):
    assert dists[dist]().getPartition(iter(range(9)), 1, 2, 5) == expected
    assert dists[dist]().getPartition(list(range(9)), 1, 2, 5) == expected


@pytest.mark.parametrize(("p", "q"), [(3, 3), (-1, 3), (0, 0)])
@pytest.mark.parametrize("dist", dists)
def test_parts_that_are_not_there(dist, p, q):
    with pytest.raises(ValueError, match="must have 0 <= p < q"):
        dists[dist]().getPartition([1, 2], p, q)


@pytest.mark.parametrize("dist", dists)
@pytest.mark.parametrize("seq", [[1, 2, 3, 4, 5], range(5), (1, 2), []])
def test_joined_parts_are_the_whole(dist, seq):
    kind = dists[dist]()
    assert kind.joinPartitions([kind.getPartition(seq, i, 3) for i in range(3)]) == list(seq)


def test_what_can_be_mapped():
    assert all(map(mappable, ([], (), np.zeros(1))))
    assert not any(map(mappable, ({}, "ab", range(3), iter([]), 3)))
