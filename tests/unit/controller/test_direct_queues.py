"""Requests and replies that pass are counted, engine by engine."""

import pytest

from ipyparallel.controller.direct_queues import Asked, DirectQueues


@pytest.fixture
def queues():
    queues = DirectQueues()
    for uuid, msg_id in (("a", "1"), ("a", "2"), ("b", "3")):
        queues.requested(uuid, msg_id)
    return queues


def test_requests_are_pending_in_their_order(queues):
    assert queues.summary() == {"a": (["1", "2"], 0), "b": (["3"], 0)}


def test_a_reply_completes_one_request(queues):
    queues.replied("a", "1")
    assert queues.summary() == {"a": (["2"], 1), "b": (["3"], 0)}


@pytest.mark.parametrize(("uuid", "msg_id"), [("a", "3"), ("a", "unknown"), ("x", "1")])
def test_a_reply_to_what_was_not_asked_counts_for_nothing(uuid, msg_id, queues):
    queues.replied(uuid, msg_id)
    assert queues.summary() == {"a": (["1", "2"], 0), "b": (["3"], 0)}


def test_a_reply_counts_once(queues):
    queues.replied("a", "1")
    queues.replied("a", "1")
    assert queues.summary()["a"] == (["2"], 1)


def test_an_engine_that_went_leaves_nothing(queues):
    queues.replied("a", "1")
    queues.forget("a")
    queues.forget("never there")
    assert queues.summary() == {"b": (["3"], 0)}


def test_an_engine_that_has_answered_all_is_still_listed(queues):
    queues.replied("b", "3")
    assert queues.summary()["b"] == ([], 1)


def test_finished_requests_are_not_kept(queues):
    for number in range(1000):
        queues.requested("c", str(number))
        queues.replied("c", str(number))
    assert queues.summary()["c"] == ([], 1000)
    assert queues._pending["c"] == {}


def test_what_an_engine_gets_after_it_went_is_not_kept(queues):
    queues.forget("a")
    queues.requested("a", "4")
    queues.replied("a", "4")
    assert queues.summary() == {"b": (["3"], 0)}


def test_engines_that_went_are_not_known_for_ever(queues):
    for number in range(5000):
        queues.forget(str(number))
    assert len(queues._gone) == 1000
    queues.requested("4999", "5")
    assert "4999" not in queues.summary()


def test_what_was_lost_is_not_completed_and_can_be_answered(queues):
    asked = Asked(b"client", b"header")
    queues.requested("c", "5", asked)
    assert queues.pending("c") == ["5"]
    assert queues.withdraw("c", "5") == asked
    assert queues.withdraw("c", "5") is None
    assert queues.withdraw("x", "5") is None
    assert queues.pending("c") == queues.pending("x") == []
    assert "c" not in {uuid for uuid, (_, done) in queues.summary().items() if done}


def test_an_engine_that_has_come_back_counts_again(queues):
    queues.forget("a")
    queues.returned("a")
    queues.returned("never there")
    queues.requested("a", "4")
    assert queues.summary()["a"] == (["4"], 0)


def test_who_is_gone_is_known_until_it_is_back(queues):
    assert not queues.is_gone("a")
    queues.forget("a")
    assert queues.is_gone("a")
    queues.returned("a")
    assert not queues.is_gone("a")
