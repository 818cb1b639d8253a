"""Who is asked to come back, and who is greeted until it can be reached."""

import pytest

from ipyparallel.controller.returning import Greetings, Returning
from tests.support.clock import Clock


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def asked():
    return []


@pytest.fixture
def returning(asked, clock):
    return Returning(lambda uuid, msg_type, content: asked.append((uuid, msg_type)), clock)


def test_an_engine_that_was_given_up_is_asked_when_it_is_heard(returning, asked):
    returning.given_up("a")
    assert "a" in returning
    assert asked == []
    returning.heard("a")
    assert asked == [("a", "return_request")]


def test_nobody_else_is(returning, asked):
    returning.heard("foreign")
    returning.given_up("a")
    returning.over("a")
    returning.heard("a")
    assert asked == []


def test_unless_it_has_proved_that_it_is_one_of_ours(returning, asked):
    returning.heard("a", surely=True)
    assert [uuid for uuid, _ in asked] == ["a"]


def test_not_with_every_beat(returning, asked, clock):
    returning.given_up("a")
    for now in (0.0, 0.25, 0.5, 0.75, 1.0, 1.25):
        clock.now = now
        returning.heard("a")
    assert len(asked) == 2


def test_once_more_as_soon_as_it_can_be_reached(returning, asked):
    returning.expect("a")
    returning.heard("a")
    returning.heard("a", surely=True)
    assert len(asked) == 2


def test_those_of_an_earlier_run_are_expected_until_they_come(returning, asked):
    returning.expect(["a", "b"])
    returning.heard("a")
    assert returning.expected == {"a", "b"}
    returning.over("a")
    assert returning.expected == {"b"}


def test_not_all_that_ever_were_are_remembered(returning, asked):
    for number in range(20_000):
        returning.given_up(str(number))
    returning.heard("0")
    returning.heard("19999")
    assert [uuid for uuid, _ in asked] == ["19999"]


@pytest.fixture
def greetings():
    sent = []
    greetings = Greetings(lambda uuid, channel: sent.append(uuid + channel))
    greetings.sent = sent
    return greetings


def test_an_engine_is_greeted_where_it_was_not_reached(greetings):
    greetings.add("a", ["mux", "task"])
    greetings.add("b", ["mux"])
    greetings.send()
    greetings.reached("a", "mux")
    greetings.reached("b", "mux")
    greetings.send()
    assert greetings.sent == ["amux", "atask", "bmux", "atask"]
    greetings.reached("a", "task")
    assert not greetings


def test_one_that_is_gone_is_not(greetings):
    greetings.add("a", ["mux"])
    greetings.forget("a")
    greetings.reached("a", "mux")
    greetings.reached("never", "mux")
    assert not greetings
