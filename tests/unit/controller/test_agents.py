"""Which agent stands for which engine."""

from __future__ import annotations

from ipyparallel.controller.agents import Agents, Handed
from ipyparallel.protocol.session import Session


def test_an_agent_says_for_whom_it_stands():
    agents = Agents()
    assert agents.of("a") is None
    agents.announced(b"one", ["a", "b"])
    agents.announced(b"two", ["c"])
    assert (agents.of("a"), agents.of("c")) == (b"one", b"two")
    agents.announced(b"one", ["b", "d"])
    assert (agents.of("a"), agents.of("b"), agents.of("d")) == (None, b"one", b"one")


def test_a_new_agent_takes_the_place_of_a_dead_one():
    agents = Agents()
    agents.announced(b"one", ["a"])
    agents.announced(b"another", ["a"])
    assert agents.of("a") == b"another"
    agents.lost(b"one")
    assert agents.of("a") == b"another"
    assert not agents.knows(b"one")


def test_agents_and_engines_go():
    agents = Agents()
    agents.announced(b"one", ["a", "b"])
    agents.forget("a")
    agents.forget("a")
    assert (agents.of("a"), agents.of("b")) == (None, b"one")
    assert agents.knows(b"one")
    agents.lost(b"one")
    assert agents.of("b") is None
    assert not agents.knows(b"one")


def test_what_was_handed_to_agents_is_known_until_it_is_answered():
    session, reader = Session(b"key"), Session(b"key")
    handed = Handed()
    asked = {}
    for name, agent, uuid in (
        ("1a", b"one", "a"), ("1b", b"one", "b"), ("2c", b"two", "c"), ("2d", b"two", "d")
    ):  # fmt: skip
        frames = session.message("signal_request")
        asked[name] = reader.parse([b"client", uuid.encode(), *frames])
        assert handed.add(agent, uuid, asked[name]) == []
    handed.answered("a", asked["1a"].header.msg_id)
    handed.answered("a", "unknown")
    assert handed.replaced(b"two", ["c", "d"]) == []
    assert handed.replaced(b"another", ["a", "b"]) == [asked["1b"]]
    assert handed.replaced(b"another", ["a", "b"]) == []
    assert handed.forget("c") == [asked["2c"]]
    assert handed.lost(b"one") == []
    assert handed.lost(b"two") == [asked["2d"]]
    assert handed._requests == {}


def test_no_more_is_kept_than_makes_sense(monkeypatch):
    monkeypatch.setattr("ipyparallel.controller.agents._MAX_HANDED", 2)
    session, reader = Session(b"key"), Session(b"key")
    asked = [reader.parse([b"c", b"a", *session.message("signal_request")]) for _ in range(3)]
    handed = Handed()
    surplus = [handed.add(b"one", "a", one) for one in asked]
    assert surplus == [[], [], asked[:1]]
