"""How many tasks an engine is trusted with follows from how long its tasks took."""

import pytest

from ipyparallel.scheduling import prefetch
from ipyparallel.scheduling.state import Engine


@pytest.fixture
def engine():
    return Engine("engine-0", 0, 1)


def observe(engine, *seconds):
    for one in seconds:
        prefetch.observe(engine, one)
    return prefetch.limit(engine)


def test_an_unknown_engine_gets_one_task(engine):
    assert prefetch.limit(engine) == 1


@pytest.mark.parametrize(
    ("seconds", "limit"),
    [(0.0, 8), (0.0002, 8), (0.0003, 4), (0.0005, 4), (0.001, 2), (0.0011, 1), (5.0, 1)],
)
def test_the_shorter_the_tasks_the_more_of_them(engine, seconds, limit):
    assert observe(engine, seconds) == limit


def test_one_long_task_ends_all_trust(engine):
    assert observe(engine, *[0.0001] * 50) == 8
    assert observe(engine, 0.5) == 1
    assert engine.duration == 0.5


def test_trust_comes_back_step_by_step(engine):
    prefetch.observe(engine, 0.5)
    limits = [observe(engine, 0.0001) for _ in range(60)]
    assert limits == sorted(limits)
    assert limits[0] == 1
    assert limits[-1] == 8


def test_a_somewhat_slower_task_moves_the_average_a_little(engine):
    observe(engine, 0.0001)
    assert observe(engine, 0.0005) == 8
    assert 0.0001 < engine.duration < 0.0003
