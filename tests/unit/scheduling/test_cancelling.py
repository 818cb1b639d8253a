"""Requests to cancel are answered once, when it is known of each task where it was."""

from ipyparallel.scheduling.cancelling import FINISHED, QUEUED, RUNNING, WAITING, Cancellations
from ipyparallel.scheduling.commands import Answer


def test_what_is_known_at_once_is_answered_at_once():
    cancellations = Cancellations()
    known = {"1": WAITING, "2": FINISHED}
    assert cancellations.begin("request", known, []) == Answer("request", known)
    assert cancellations.begin("request", {}, []) == Answer("request", {})
    assert cancellations._asked == {}


def test_the_answer_comes_with_the_last_that_was_not_known():
    cancellations = Cancellations()
    assert cancellations.begin("request", {"1": WAITING}, ["2", "3"]) is None
    assert cancellations.note("3", RUNNING) == []
    assert cancellations.note("2", QUEUED) == [
        Answer("request", {"1": WAITING, "3": RUNNING, "2": QUEUED})
    ]
    assert cancellations._asked == {}


def test_what_is_noted_first_counts():
    cancellations = Cancellations()
    cancellations.begin("request", {}, ["1", "2"])
    assert cancellations.note("1", RUNNING) == []
    assert cancellations.note("1", FINISHED) == []
    (answer,) = cancellations.note("2", QUEUED)
    assert answer.outcomes == {"1": RUNNING, "2": QUEUED}


def test_of_several_requests_each_is_answered():
    cancellations = Cancellations()
    cancellations.begin("first", {}, ["1"])
    cancellations.begin("second", {}, ["1", "2"])
    cancellations.begin("third", {}, ["1"])
    assert [answer.request for answer in cancellations.note("1", RUNNING)] == ["first", "third"]
    assert [answer.request for answer in cancellations.note("2", QUEUED)] == ["second"]


def test_what_nobody_asked_for_is_nobody_told():
    assert Cancellations().note("1", RUNNING) == []


def test_very_many_leave_nothing_behind():
    cancellations = Cancellations()
    ids = [str(number) for number in range(20_000)]
    cancellations.begin("request", {}, ids)
    answers = [answer for msg_id in ids for answer in cancellations.note(msg_id, QUEUED)]
    assert len(answers) == 1
    assert len(answers[0].outcomes) == 20_000
    assert cancellations._asked == {}
