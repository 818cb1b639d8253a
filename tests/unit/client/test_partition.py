"""Sequences are cut into even parts, and the parts make the sequence again."""

from collections import OrderedDict, UserDict, deque
from itertools import chain

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ipyparallel.client.partition import (
    PARTITIONS,
    Block,
    RoundRobin,
    as_sequence,
    bounds,
    is_array,
    partition_named,
)

BOTH = pytest.mark.parametrize("partition", [Block(), RoundRobin()], ids=["block", "round robin"])

few = settings(max_examples=60, deadline=None, database=None)


@few
@given(st.integers(0, 1000), st.integers(1, 50))
def test_bounds_are_even_and_leave_nothing_out(length, parts):
    edges = bounds(length, parts)
    sizes = [stop - start for start, stop in edges]
    assert len(edges) == parts
    assert [i for start, stop in edges for i in range(start, stop)] == list(range(length))
    assert max(sizes) - min(sizes) <= 1
    assert sizes == sorted(sizes, reverse=True)


@pytest.mark.parametrize(
    ("dist", "parts"),
    [("b", [[0, 1, 2, 3], [4, 5, 6], [7, 8, 9]]), ("r", [[0, 3, 6, 9], [1, 4, 7], [2, 5, 8]])],
)
@pytest.mark.parametrize("make", [list, tuple, range, np.array], ids=lambda make: make.__name__)
def test_parts_are_of_the_kind_of_the_whole(dist, parts, make):
    whole = range(10) if make is range else make(range(10))
    cut = partition_named(dist).cut(whole, 3)
    assert [list(part) for part in cut] == parts
    assert {type(part) for part in cut} == {type(whole)}


@BOTH
@few
@given(data=st.lists(st.integers()), parts=st.integers(1, 12))
def test_joined_parts_are_the_whole(partition, data, parts):
    assert partition.join(partition.cut(data, parts)) == data
    assert partition.join(partition.cut(tuple(data), parts)) == data
    joined = partition.join(partition.cut(np.array(data, dtype=object), parts))
    assert joined.tolist() == data


@BOTH
@pytest.mark.parametrize("shape", [(7,), (7, 3), (2, 5), (0, 4)])
@pytest.mark.parametrize("parts", [1, 3, 7, 9])
def test_arrays_are_cut_and_joined_along_their_first_axis(partition, shape, parts):
    array = np.arange(np.prod(shape)).reshape(shape)
    cut = partition.cut(array, parts)
    assert len(cut) == parts
    for part in cut:
        part.flags.writeable = False  # as those that arrive
    joined = partition.join(cut)
    assert np.array_equal(joined, array)
    assert joined.dtype == array.dtype


@BOTH
def test_parts_of_an_array_are_views(partition):
    array = np.arange(10)
    assert all(np.shares_memory(part, array) for part in partition.cut(array, 3))


@BOTH
def test_nothing_joined_is_an_empty_list(partition):
    assert partition.join([]) == []


@BOTH
@pytest.mark.parametrize(
    "parts",
    [["ab", "c"], [1, 2], [None, None], [[1], 2], [np.float64(1), np.float64(2)]],
    ids=repr,
)
def test_what_cannot_be_joined_is_left_in_parts(partition, parts):
    assert partition.join(parts) == parts


@BOTH
def test_arrays_without_axes_are_left_in_parts(partition):
    parts = [np.array(1), np.array(2)]
    assert partition.join(parts) is parts


@pytest.mark.parametrize("parts", [[[0], [1, 1, 1]], [[0, 0, 0], [1]], [[], [1, 1], [2]]])
def test_parts_of_any_lengths_are_joined_in_turn(parts):
    joined = RoundRobin().join(parts)
    assert sorted(joined) == sorted(chain.from_iterable(parts))
    arrays = [np.array(part, dtype=int) for part in parts]
    assert RoundRobin().join(arrays).tolist() == joined


@BOTH
def test_text_is_cut_as_a_sequence(partition):
    assert sorted("".join(partition.cut("abcdefg", 3))) == list("abcdefg")


def test_what_cannot_be_sliced_is_cut_in_the_order_of_iteration():
    whole = {3: "a", 1: "b", 2: "c"}
    assert Block().cut(whole, 2) == [[3, 1], [2]]
    assert RoundRobin().cut(whole.keys(), 2) == [[3, 2], [1]]


@pytest.mark.parametrize("dist", ["B", "", None, 3, [], "block"])
def test_an_unknown_distribution_is_named(dist):
    with pytest.raises(ValueError, match=r"dist must be 'b' \(block\) or 'r'") as raised:
        partition_named(dist)
    assert str(raised.value).endswith(f"not {dist!r}")


def test_both_distributions_are_known_by_name():
    assert {name: type(partition) for name, partition in PARTITIONS.items()} == {
        "b": Block,
        "r": RoundRobin,
    }


@pytest.mark.parametrize("obj", [[1, 2], (1, 2), range(2), "ab", b"ab", np.arange(2)], ids=repr)
def test_a_sequence_is_taken_as_it_is(obj):
    assert as_sequence(obj) is obj


@pytest.mark.parametrize(
    "obj",
    [
        {1: "a", 2: "b"},
        OrderedDict({1: "a", 2: "b"}),
        UserDict({1: "a", 2: "b"}),
        {1: "a", 2: "b"}.keys(),
        {1, 2},
        frozenset((1, 2)),
        deque([1, 2]),
        iter([1, 2]),
        (i for i in (1, 2)),
        map(int, "12"),
    ],
    ids=lambda obj: type(obj).__name__,
)
def test_what_cannot_be_sliced_becomes_a_list(obj):
    sequence = as_sequence(obj)
    assert sequence == [1, 2]
    assert sequence[1:] == [2]


@pytest.mark.parametrize("obj", [3, None])
def test_what_cannot_be_iterated_is_a_type_error(obj):
    with pytest.raises(TypeError, match="not iterable"):
        as_sequence(obj)


def test_only_arrays_are_arrays():
    assert is_array(np.zeros(1))
    assert not any(map(is_array, [[], np.float64(1), memoryview(b"")]))
