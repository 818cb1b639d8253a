"""What may be said for "which engines"."""

import pytest

from ipyparallel.client.targets import resolve
from ipyparallel.error import NoEnginesRegistered

IDS = [0, 1, 4, 7]


@pytest.mark.parametrize(
    ("targets", "ids"),
    [
        (None, IDS),
        ("all", IDS),
        (4, [4]),
        (-1, [7]),
        (-4, [0]),
        ([4, 0], [4, 0]),  # in the order given
        ([4, 4], [4, 4]),
        ((1, -1), [1, 7]),
        (range(2), [0, 1]),
        ({4}, [4]),
        (frozenset((7,)), [7]),
        ([], []),
        (slice(None), IDS),
        (slice(2), [0, 1]),  # places in the list of ids, not ids
        (slice(None, None, 2), [0, 4]),
        (slice(-2, None), [4, 7]),
        (slice(10, 20), []),
    ],
)
def test_targets_name_engines(targets, ids):
    assert resolve(targets, IDS) == ids


@pytest.mark.parametrize("targets", [None, "all", 0, [0], slice(None), []])
def test_without_engines_all_targets_are_in_vain(targets):
    with pytest.raises(NoEnginesRegistered):
        resolve(targets, [])


@pytest.mark.parametrize("targets", [2, 8, [0, 2], range(3), {5}])
def test_an_engine_that_is_not_there_is_named_with_those_that_are(targets):
    with pytest.raises(IndexError, match=r"No such engine: \d \(there are: 0, 1, 4, 7\)"):
        resolve(targets, IDS)


@pytest.mark.parametrize("targets", [-5, [-5]])
def test_counting_back_beyond_the_first_is_an_index_error(targets):
    with pytest.raises(IndexError, match=r"No such engine: -5 \(there are 4\)"):
        resolve(targets, IDS)


@pytest.mark.parametrize(
    "targets", ["any", "", "0", b"all", True, 1.0, {"a": 1}, object, ["0"], [True], [None], [[0]]]
)
def test_what_names_no_engines_is_a_type_error(targets):
    with pytest.raises(TypeError, match="targets must be ids"):
        resolve(targets, IDS)


def test_the_list_of_ids_is_a_copy():
    resolve("all", IDS).append(99)
    assert IDS == [0, 1, 4, 7]
