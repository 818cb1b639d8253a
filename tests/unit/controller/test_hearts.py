"""Beats are counted, and a heart that misses too many has stopped."""

import pytest

from ipyparallel.controller.hearts import Hearts


@pytest.fixture
def hearts():
    hearts = Hearts(max_misses=2)
    hearts.watch("a")
    return hearts


def test_a_heart_may_miss_as_many_as_allowed_and_not_one_more(hearts):
    assert [hearts.beat() for _ in range(4)] == [[], [], ["a"], []]


def test_each_answer_starts_the_count_anew(hearts):
    for _ in range(5):
        assert [hearts.beat(), hearts.beat()] == [[], []]
        hearts.pong("a")
        assert hearts.beat() == []
    assert [hearts.beat() for _ in range(3)] == [[], [], ["a"]]


def test_an_answer_counts_for_one_period(hearts):
    hearts.pong("a")
    hearts.pong("a")
    assert [hearts.beat() for _ in range(4)] == [[], [], [], ["a"]]


def test_a_forgotten_heart_is_not_missed(hearts):
    hearts.forget("a")
    hearts.forget("never there")
    assert [hearts.beat() for _ in range(5)] == [[]] * 5


def test_a_heart_watched_again_starts_with_a_clean_count(hearts):
    hearts.beat()
    hearts.beat()
    hearts.forget("a")
    hearts.watch("a")
    assert [hearts.beat() for _ in range(3)] == [[], [], ["a"]]


def test_watching_twice_forgives_no_misses(hearts):
    hearts.beat()
    hearts.beat()
    hearts.watch("a")
    assert hearts.beat() == ["a"]


def test_strangers_are_not_remembered(hearts):
    hearts.pong("x")
    hearts.watch("x")
    hearts.forget("a")
    assert [hearts.beat() for _ in range(3)] == [[], [], ["x"]]


def test_hearts_stop_each_by_itself(hearts):
    hearts.watch("b")
    for _ in range(2):
        hearts.pong("b")
        hearts.beat()
    assert hearts.beat() == ["a"]
    assert [hearts.beat(), hearts.beat()] == [[], ["b"]]


def test_a_heart_that_misses_some_is_away_until_it_is_heard():
    hearts = Hearts(max_misses=30)
    hearts.watch("a")
    away = []
    for _ in range(5):
        assert hearts.beat() == []
        away.append(hearts.take_away())
    assert away == [[], [], ["a"], [], []]
    assert hearts.pong("a")
    assert not hearts.pong("a")
    assert [(hearts.beat(), hearts.take_away()) for _ in range(3)] == [([], [])] * 3
    hearts.beat()
    assert hearts.take_away() == ["a"]


def test_one_that_may_miss_few_is_gone_instead(hearts):
    assert [hearts.beat() for _ in range(3)] == [[], [], ["a"]]
    assert hearts.take_away() == []
    assert not hearts.pong("a")


def test_one_that_is_heard_before_this_is_told_is_not_away():
    hearts = Hearts(max_misses=30)
    hearts.watch("a")
    for _ in range(3):
        hearts.beat()
    assert hearts.pong("a")
    assert hearts.take_away() == []
