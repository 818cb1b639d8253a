"""The question what there is to do, and its two answers."""

from __future__ import annotations

from ipyparallel.controller.link import Load, LoadRequest
from ipyparallel.controller.loads import Loads


def test_each_question_is_answered_when_both_have():
    asked, told = [], []
    loads = Loads(asked.append)
    loads.ask(lambda direct, balanced: told.append((1, direct, balanced)))
    loads.ask(lambda direct, balanced: told.append((2, direct, balanced)))
    assert asked == [LoadRequest(1), LoadRequest(2)]
    direct, balanced = [Load(n, {}) for n in (1, 2)], [Load(n, {}, ["a"]) for n in (1, 2)]
    loads.direct(direct[0])
    loads.balanced(balanced[1])
    assert told == []
    loads.direct(direct[1])
    loads.balanced(balanced[0])
    assert told == [(2, direct[1], balanced[1]), (1, direct[0], balanced[0])]
    assert loads._questions == {}
