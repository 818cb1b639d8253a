"""What the scheduler wants of engines: asked of them, and their answers told."""

import pytest

from ipyparallel.controller import link
from ipyparallel.controller.errands import Errands
from ipyparallel.protocol.messages import CancelRequest
from ipyparallel.protocol.session import Session


class Office:
    """Errands, with what they ask, tell and give up."""

    def __init__(self):
        self.asked, self.told, self.given_up = [], [], []
        self.session = Session(b"key")
        self.errands = Errands(
            lambda *request: self.asked.append(request),
            self.told.append,
            lambda *engine: self.given_up.append(engine),
        )

    def answer(self, msg_type, content):
        message = self.session.parse([b"e", *Session(b"key").message(msg_type, content)])
        self.errands.answered("e", message)


@pytest.fixture
def office():
    return Office()


@pytest.mark.parametrize(
    ("errand", "request_"),
    [
        (link.RecallTasks("e", ["a"]), ("e", "recall_request", {"msg_ids": ["a"]})),
        (
            link.CancelTasks("e", ["a", "b#2"]),
            ("e", "cancel_request", CancelRequest(["a", "b#2"], silently=True)),
        ),
        (link.ReplaceEngine("e", "why"), ("e", "replace_request", {"reason": "why"})),
    ],
    ids=["recall", "cancel", "replace"],
)
def test_an_engine_is_asked(office, errand, request_):
    office.errands.run(errand, native=True)
    assert (office.asked, office.told) == ([request_], [])


def test_a_published_engine_is_asked_not_to_begin_tasks_and_answers_them_itself(office):
    office.errands.run(link.CancelTasks("e", ["a", "b#2"]), native=False)
    assert office.asked == [("e", "abort_request", {"msg_ids": ["a", "b"]})]
    assert office.told == [link.TasksCancelled("e", {"a": "finished", "b#2": "finished"})]


def test_a_published_engine_gives_nothing_back(office):
    office.errands.run(link.RecallTasks("e", ["a", "b"]), native=False)
    assert (office.asked, office.told) == ([], [link.TasksReturned("e", [])])


def test_answers_are_told(office):
    office.answer("recall_reply", {"status": "ok", "returned": ["a"]})
    office.answer("cancel_reply", {"status": "ok", "outcomes": {"a": "queued"}})
    office.answer("replace_reply", {"status": "ok"})
    office.answer("abort_reply", {"status": "ok"})
    assert office.told == [
        link.TasksReturned("e", ["a"]),
        link.TasksCancelled("e", {"a": "queued"}),
    ]
    assert office.given_up == []


def test_a_cancel_that_is_refused_has_no_outcomes(office):
    office.answer("cancel_reply", {"status": "error", "ename": "EngineError", "evalue": "gone"})
    assert office.told == []


def test_an_engine_that_can_not_be_killed_is_given_up(office):
    office.answer("replace_reply", {"status": "error", "evalue": "no agent stands for it"})
    why = "it does not obey, and cannot be killed: no agent stands for it"
    assert office.given_up == [("e", why)]


@pytest.mark.parametrize("msg_type", ["recall_reply", "cancel_reply", "replace_reply"])
def test_a_malformed_answer_is_an_error(office, msg_type):
    with pytest.raises(ValueError, match=f"content of {msg_type} is malformed"):
        office.answer(msg_type, {"returned": 1, "outcomes": 1, "status": 1})
