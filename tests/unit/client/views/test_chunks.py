"""The law by which chunks are sized: from measured seconds to numbers of elements."""

import pytest

from ipyparallel.client.views.chunks import GROWTH, LEAST, MOST, SHARES, TARGET, ChunkSizes


def after(*observed):
    sizes = ChunkSizes()
    for seconds, items in observed:
        sizes.observe(seconds, items)
    return sizes


def simulated(length, seconds_each, workers=2):
    """The sizes of all chunks, when each ends before the next is made."""
    sizes, made = ChunkSizes(), []
    while length:
        size = min(length, sizes.next(workers, length))
        made.append(size)
        sizes.observe(size * seconds_each, size)
        length -= size
    return made


def test_nothing_is_known_at_first():
    assert ChunkSizes().next(4, 1000) == 1
    assert ChunkSizes().next(4) == 1


def test_a_chunk_takes_the_set_time():
    assert after((1.0, 1000)).next(1) == round(TARGET / 0.001)


@pytest.mark.parametrize("seconds", [0.0, 1e-9])
def test_growth_is_bounded_by_what_went_well(seconds):
    assert after((seconds, 10)).next(1) == GROWTH * 10
    assert after((seconds, 10), (seconds, 2)).next(1) == GROWTH * 10


def test_there_is_a_most():
    assert after((0.0, 10_000)).next(1) == MOST


def test_what_is_long_goes_alone():
    assert after((3.0, 1)).next(2, 10**6) == 1


def test_what_came_last_counts_most():
    quick_then_slow = after(*[(0.001, 100)] * 5, *[(1.0, 100)] * 5)
    assert quick_then_slow.next(1) == pytest.approx(TARGET / 0.01, abs=1)


def test_the_end_is_shared_out():
    sizes = after((0.01, 10_000))
    assert sizes.next(2, 60_000) == 60_000 // (SHARES * 2)
    assert sizes.next(1, 30_000) == 30_000 // SHARES
    # but not into crumbs
    assert sizes.next(2, 12_000) == pytest.approx(LEAST / 1e-6, abs=1)
    assert sizes.next(2, 100) == 100


def test_no_engines_count_as_one():
    assert after((0.001, 10_000)).next(0, 300) >= 1


@pytest.mark.parametrize("each", [0, 1e-6, 1e-5, 1e-3, 0.01, 1.0])
def test_a_whole_map_has_few_chunks_and_none_is_much_too_long(each):
    made = simulated(20_000, each)
    assert sum(made) == 20_000
    assert max(made) * each <= max(each, TARGET * 1.01)
    least = 20_000 * each / TARGET  # if every chunk took all of its time
    assert len(made) <= 2 * least + 20 or each * 2 >= TARGET
