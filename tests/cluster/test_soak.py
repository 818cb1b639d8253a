"""Memory does not grow with the work that was done: `benchmarks.soak`, in small."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.soak import Look, growth, size_of
from tests.support.processes import our_environment

#: Tasks at a time. What is kept of these, and of the last ones, is there from the first batches on.
BATCH = 500

#: MB by which a process may grow between the second and the last third: its memory swings by some.
SWING = 8.0

#: MB of one push.
SIZE = 10


def soak(folder: Path, *options: str) -> list[Look]:
    """Run it in a process of its own, in which nothing else takes or frees memory."""
    seen = folder / "seen.json"
    command = [sys.executable, "-m", "benchmarks.soak", "--engines=2", f"--json={seen}", *options]
    subprocess.run(command, check=True, cwd=Path(__file__).parents[2], env=our_environment())
    (looks,) = json.loads(seen.read_text()).values()
    return [Look(*look) for look in looks]


def test_memory_does_not_grow_with_the_number_of_tasks(tmp_path: Path) -> None:
    # 400 bytes kept of each of the last 20,000 tasks would be seen
    looks = soak(tmp_path, "--tasks=30000", f"--batch={BATCH}", "--limit=1000")
    grown = growth(looks, warm_up=0.33)
    assert max(grown.values()) < SWING, grown


def test_memory_does_not_grow_with_the_bytes_that_were_pushed(tmp_path: Path) -> None:
    looks = soak(tmp_path, "--pushes=60", f"--size={SIZE}MB", "--limit=1000")
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
