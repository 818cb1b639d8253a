"""What cancelling has done is a bool, and more."""

import pickle

import pytest

from ipyparallel.client.messaging.cancellation import Cancellation


@pytest.mark.parametrize("where", ["waiting", "queued", "running"])
def test_it_is_true_if_something_was_cancelled(where):
    done = Cancellation(**{where: ["a"], "finished": ["b"]})
    assert done
    assert done == True == 1  # noqa: E712
    assert getattr(done, where) == ("a",)
    assert done.finished == ("b",)


@pytest.mark.parametrize("lists", [{}, {"finished": ["a"]}, {"unconfirmed": ["a"]}])
def test_it_is_false_if_nothing_was(lists):
    done = Cancellation(**lists)
    assert not done
    assert done == False == 0  # noqa: E712


@pytest.mark.parametrize(
    ("lists", "text"),
    [
        ({}, "no tasks"),
        (
            {"waiting": "abc", "queued": "d", "running": "e", "finished": "fg"},
            "3 waiting, 1 queued, 1 running (interrupted), 2 finished",
        ),
        ({"unconfirmed": "ab"}, "2 asked not to begin"),
    ],
)
def test_it_says_so(lists, text):
    assert repr(Cancellation(**lists)) == str(Cancellation(**lists)) == f"<Cancellation: {text}>"


def test_it_is_made_of_tasks_and_where_they_were():
    done = Cancellation.of([("a", "waiting"), ("b", "finished"), ("c", "waiting")])
    assert (done.waiting, done.finished, done.queued) == (("a", "c"), ("b",), ())
    with pytest.raises(TypeError, match="there are no tasks that are asleep"):
        Cancellation.of([("a", "asleep")])


def test_it_can_be_sent():
    done = pickle.loads(pickle.dumps(Cancellation(running=["a"])))
    assert (done, done.running) == (1, ("a",))
    assert isinstance(done, Cancellation)
