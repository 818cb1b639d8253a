"""The thread that submits, and the signal by which others tell it to go on."""

import threading

import pytest

from ipyparallel.client.views.feeding import Feeder, Signal

SECONDS = 20


def test_what_is_so_is_not_waited_for():
    assert Signal().wait(lambda: True)
    assert Signal().wait(lambda: True, 0)


def test_what_does_not_come_is_not_waited_for_longer_than_asked():
    assert not Signal().wait(lambda: False, 0)
    assert not Signal().wait(lambda: False, 0.01)


def test_who_waits_looks_again_when_told():
    signal, state, looked = Signal(), [], threading.Event()
    seen = []

    def ready():
        looked.set()
        return bool(state)

    waiter = threading.Thread(target=lambda: seen.append(signal.wait(ready, SECONDS)))
    waiter.start()
    assert looked.wait(SECONDS)
    signal.tell()  # nothing has changed
    state.append(1)
    signal.tell()
    waiter.join(SECONDS)
    assert seen == [True]


def test_telling_nobody_leaves_nothing_behind():
    signal = Signal()
    for _ in range(1000):
        signal.tell()
    assert signal._tokens.qsize() == 0


def test_a_watcher_is_called_once():
    signal, calls = Signal(), []
    assert not signal.watch(lambda: False, lambda: calls.append(1))
    signal.tell()
    signal.tell()
    assert calls == [1]


class Fed:
    """Submits numbers."""

    def __init__(self, numbers, room=10**6):
        self.numbers = iter(numbers)
        self.room = room
        self.submitted = []
        self.failure = None
        self.is_full = threading.Event()
        self.ended = threading.Event()
        self.feeder = Feeder(self.submit_next, self.has_room, self.at_end)
        self.feeder.start()

    def submit_next(self):
        for number in self.numbers:
            self.submitted.append(number)
            return True
        return False

    def has_room(self):
        if len(self.submitted) >= self.room:
            self.is_full.set()
            return False
        return True

    def at_end(self, failure):
        self.failure = failure
        self.ended.set()


def test_all_is_submitted_in_turn():
    fed = Fed(range(100))
    assert fed.ended.wait(SECONDS)
    assert fed.submitted == list(range(100))
    assert fed.failure is None


def test_it_waits_for_room():
    fed = Fed(range(100), room=3)
    assert fed.is_full.wait(SECONDS)
    assert fed.submitted == [0, 1, 2]
    fed.room = 1000
    fed.feeder.look()
    assert fed.ended.wait(SECONDS)
    assert len(fed.submitted) == 100


@pytest.mark.parametrize("error", [ZeroDivisionError, SystemExit, KeyboardInterrupt])
def test_what_the_input_raises_is_its_end(error):
    def numbers():
        yield 1
        raise error

    fed = Fed(numbers())
    assert fed.ended.wait(SECONDS)
    assert fed.submitted == [1]
    assert isinstance(fed.failure, error)


def test_it_can_be_stopped_while_it_waits():
    fed = Fed(range(100), room=3)
    assert fed.is_full.wait(SECONDS)
    fed.feeder.stop()
    assert fed.ended.wait(SECONDS)
    assert fed.submitted == [0, 1, 2]
    assert fed.failure is None


def test_it_can_be_stopped_while_the_input_takes_its_time():
    asked, go_on = threading.Event(), threading.Event()

    def numbers():
        yield 1
        asked.set()
        go_on.wait(SECONDS)
        yield 2
        yield 3

    fed = Fed(numbers())
    assert asked.wait(SECONDS)
    fed.feeder.stop()
    go_on.set()
    assert fed.ended.wait(SECONDS)
    assert 3 not in fed.submitted
