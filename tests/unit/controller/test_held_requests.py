"""Requests to engines out of reach wait in their order."""

import pytest

from ipyparallel.controller.held_requests import HeldRequests


@pytest.fixture
def held():
    return HeldRequests()


def add(held, uuid, *names):
    return [held.add(uuid, name, [name]) for name in names]


def taken(held, uuid):
    return [message for message, _ in held.take(uuid)]


def test_the_first_is_news(held):
    assert add(held, "a", "1", "2") == [True, False]
    assert add(held, "b", "3") == [True]


def test_to_an_engine_that_is_known_to_be_away_it_is_not(held):
    held.away("a")
    assert held.holds_for("a")
    assert add(held, "a", "1") == [False]


def test_they_are_taken_in_their_order_once(held):
    add(held, "a", "1", "2")
    assert taken(held, "a") == ["1", "2"]
    assert not held.holds_for("a")
    assert taken(held, "a") == []


def test_not_while_it_is_away(held):
    held.away("a")
    add(held, "a", "1")
    assert taken(held, "a") == []
    held.back("a")
    assert taken(held, "a") == ["1"]
