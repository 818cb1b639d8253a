"""Which agent stands for which engine."""

from __future__ import annotations

from ipyparallel.controller.agents import Agents


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
