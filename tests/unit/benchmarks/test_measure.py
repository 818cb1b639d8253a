"""How growth is told from swings."""

import pytest

from benchmarks.measure import growth


def test_a_steady_growth_is_found():
    assert growth([100.0 + 3 * i for i in range(51)]) == pytest.approx(3)


def test_a_swing_at_either_end_does_not_count():
    samples = [100.0] * 50
    samples[0] = 3000
    samples[-1] = 5000
    assert growth(samples) == 0


def test_few_samples_will_do():
    assert growth([1.0, 4.0]) == 3
    assert growth([7.0]) == 0
