"""Memory does not grow with the work that was done: `benchmarks.soak`, in small."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

import ipyparallel as ipp
from benchmarks.soak import Soak, growth, size_of

#: Tasks at a time. What is kept of these, and of the last ones, is there from the first batches on.
BATCH = 1_500

#: MB by which a process may grow between the second and the last third: its memory swings by some.
SWING = 8.0

#: MB of one push.
SIZE = 10


@pytest.fixture
def soak(tmp_path: Path) -> Iterator[Soak]:
    cluster = ipp.Cluster(n=2, profile_dir=str(tmp_path), log_level=40)
    with cluster as client:
        yield Soak(cluster, client)


def test_memory_does_not_grow_with_the_number_of_tasks(soak: Soak) -> None:
    # 400 bytes kept of each of the last 20,000 tasks would be seen
    grown = growth(list(soak.tasks(30_000, BATCH)), warm_up=0.33)
    assert max(grown.values()) < SWING, grown


def test_memory_does_not_grow_with_the_bytes_that_were_pushed(soak: Soak) -> None:
    looks = list(soak.pushes(60, SIZE * 1_000_000))
    # not even two of the last forty may be kept, beside what the allocator does
    grown = growth(looks, warm_up=0.33)
    assert max(grown.values()) < SWING + 2 * SIZE, grown
    # and the first ones were let go, too: what is there at once is on its way to two engines
    in_all = looks[-1].memory["controller"] - looks[0].memory["controller"]
    assert in_all < 8 * SIZE, in_all


@pytest.mark.parametrize(
    ("text", "size"), [("10MB", 10_000_000), ("500 kb", 500_000), ("7", 7), ("1GB", 10**9)]
)
def test_sizes_are_read(text: str, size: int) -> None:
    assert size_of(text) == size
