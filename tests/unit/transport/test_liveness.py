"""How long a lost connection is waited for."""

import pytest

from ipyparallel.transport.liveness import Patience


@pytest.fixture
def patience():
    return Patience(refused_for=1.0, silent_for=60.0)


def test_a_connection_that_was_not_lost_is_never_given_up(patience):
    assert not patience.waiting
    assert not patience.is_over(1e9, refused=True)


def test_one_that_nobody_answers_is_given_up_soon(patience):
    patience.lost(100.0)
    assert patience.waiting
    assert [patience.is_over(100.0 + t, refused=True) for t in (0.0, 0.5, 0.99, 1.0)] == [
        False,
        False,
        False,
        True,
    ]


def test_refusals_count_from_the_first_one_seen(patience):
    patience.lost(100.0)
    assert not patience.is_over(110.0, refused=True)
    assert not patience.is_over(110.9, refused=True)
    assert patience.is_over(111.0, refused=True)


def test_refusals_must_be_in_a_row(patience):
    patience.lost(100.0)
    assert not patience.is_over(100.1, refused=True)
    assert not patience.is_over(100.9, refused=False)  # somebody listened
    assert not patience.is_over(101.5, refused=True)
    assert not patience.is_over(102.4, refused=True)
    assert patience.is_over(102.5, refused=True)


def test_a_silent_network_is_waited_for_longer(patience):
    patience.lost(100.0)
    assert not patience.is_over(159.9, refused=False)
    assert patience.is_over(160.0, refused=False)


def test_a_connection_that_comes_back_is_lost_anew(patience):
    patience.lost(100.0)
    patience.is_over(100.5, refused=True)
    patience.connected()
    assert not patience.waiting
    assert not patience.is_over(500.0, refused=True)
    patience.lost(1000.0)
    assert not patience.is_over(1000.9, refused=True)
    assert not patience.is_over(1001.8, refused=True)
    assert patience.is_over(1001.9, refused=True)


def test_losing_it_again_while_it_is_lost_does_not_prolong_the_wait(patience):
    patience.lost(100.0)
    patience.lost(150.0)
    assert patience.is_over(160.0, refused=False)


def test_one_that_is_to_be_waited_for_longer_is(patience):
    patience.last(5.0)
    assert (patience.refused_for, patience.silent_for) == (5.0, 60.0)
    patience.last(600.0)
    patience.last(0.0)
    assert (patience.refused_for, patience.silent_for) == (600.0, 600.0)
    patience.lost(100.0)
    assert patience.lost_for(103.0) == 3.0
    assert not patience.is_over(100.0, refused=True)
    assert not patience.is_over(699.0, refused=True)
    assert patience.is_over(700.0, refused=True)
    patience.connected()
    assert patience.lost_for(800.0) == 0.0
