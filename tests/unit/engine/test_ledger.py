"""Who is begun, who is not, and who is interrupted."""

from __future__ import annotations

import pytest

from ipyparallel.engine import ledger as module
from ipyparallel.engine.ledger import Ledger, Turn


class Signals:
    """Counts those that were sent."""

    def __init__(self) -> None:
        self.sent = 0

    def __call__(self) -> None:
        self.sent += 1


@pytest.fixture
def signals() -> Signals:
    return Signals()


@pytest.fixture
def ledger() -> Ledger:
    return Ledger()


def test_one_after_the_other(ledger: Ledger, signals: Signals):
    assert ledger.begin("a", balanced=False) is Turn.RUN
    ledger.end()
    assert ledger.begin("b", balanced=True) is Turn.RUN
    ledger.end()
    assert ledger.cancel(["a", "b"], signals) == {"a": "finished", "b": "finished"}
    assert signals.sent == 0
    ledger.check()


def test_the_running_one_is_interrupted(ledger: Ledger, signals: Signals):
    ledger.begin("a", balanced=False)
    assert ledger.cancel(["a", "b"], signals) == {"a": "running", "b": "queued"}
    assert signals.sent == 1
    assert ledger.take_signal()
    assert ledger.top_is_cancelled()
    with pytest.raises(KeyboardInterrupt):
        ledger.check()
    ledger.end()
    assert ledger.begin("b", balanced=False) is Turn.ABORT
    assert ledger.begin("c", balanced=False) is Turn.RUN
    assert not ledger.top_is_cancelled()


def test_a_signal_that_comes_late_hits_nobody(ledger: Ledger, signals: Signals):
    ledger.begin("a", balanced=False)
    ledger.cancel(["a"], signals)
    ledger.end()
    ledger.begin("b", balanced=False)
    assert ledger.take_signal()
    assert not ledger.top_is_cancelled()
    # the next one is from outside
    assert not ledger.take_signal()


def test_one_signal_at_a_time(ledger: Ledger, signals: Signals, monkeypatch: pytest.MonkeyPatch):
    now = [100.0]
    monkeypatch.setattr(module.time, "monotonic", lambda: now[0])
    ledger.begin("a", balanced=False)
    for _ in range(3):
        ledger.cancel(["a"], signals)
    assert signals.sent == 1  # on its way
    now[0] += 10
    ledger.cancel(["a"], signals)
    assert signals.sent == 2  # the first one was lost
    assert ledger.take_signal()
    ledger.cancel(["a"], signals)
    assert signals.sent == 3


def test_one_that_waits_beneath_another(ledger: Ledger, signals: Signals):
    ledger.begin("outer", balanced=True)
    ledger.begin("inner", balanced=True)
    assert ledger.cancel(["outer"], signals) == {"outer": "running"}
    assert not ledger.top_is_cancelled()
    ledger.end()
    assert ledger.top_is_cancelled()
    ledger.end()
    assert not ledger.cancelled


def test_a_mark_that_comes_too_late_is_forgotten(ledger: Ledger, signals: Signals):
    ledger.begin("a", balanced=False)
    ledger.end()
    ledger.cancelled.add("a")  # as `cancel` does that has just seen it run
    assert ledger.begin("a", balanced=False) is Turn.RUN
    assert not ledger.top_is_cancelled()


def test_one_that_ended_and_is_tried_again(ledger: Ledger, signals: Signals):
    ledger.begin("a", balanced=True)
    ledger.end()
    # its first time does not count, whatever is asked of the second
    assert ledger.cancel(["a", "a#2"], signals, silently=True) == {"a": "finished", "a#2": "queued"}
    assert ledger.begin("a", balanced=True, sending="a#2") is Turn.SKIP
    assert ledger.begin("a", balanced=True, sending="a#3") is Turn.RUN
    assert ledger.cancel(["a#3"], signals, silently=True) == {"a#3": "running"}


def test_one_that_was_tried_before_is_taken_back(ledger: Ledger):
    ledger.begin("a", balanced=True)
    ledger.end()
    ledger.begin("direct", balanced=False)
    assert ledger.take_back(["a#2"]) == ["a#2"]


def test_one_that_has_ended_leaves_no_mark(ledger: Ledger, signals: Signals):
    ledger.begin("a", balanced=False)
    ledger.end()
    ledger.cancel(["a"], signals)
    assert ledger.begin("a", balanced=False) is Turn.RUN


def test_tasks_that_are_taken_back(ledger: Ledger, signals: Signals):
    for msg_id in "abc":
        ledger.begin(msg_id, balanced=True)
        ledger.end()
    ledger.begin("direct", balanced=False)
    assert ledger.take_back(["b", "c", "d", "e"]) == ["d", "e"]
    assert ledger.begin("d", balanced=True) is Turn.SKIP
    assert ledger.begin("e", balanced=True) is Turn.SKIP
    # it may be sent again
    assert ledger.begin("d", balanced=True) is Turn.RUN


def test_aborted_ones(ledger: Ledger):
    ledger.abort(["a"])
    assert ledger.begin("a", balanced=False) is Turn.ABORT
    assert ledger.begin("a", balanced=False) is Turn.RUN


def test_what_is_kept_is_bounded(ledger: Ledger, signals: Signals, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(module, "_MAX_ABORTED", 3)
    ledger.abort("abcd")
    assert ledger.begin("a", balanced=False) is Turn.RUN
    assert ledger.begin("b", balanced=False) is Turn.ABORT
    for number in range(2 * module._MAX_BEGUN):
        ledger.begin(f"t{number}", balanced=False)
        ledger.end()
    last = f"t{2 * module._MAX_BEGUN - 1}"
    assert ledger.cancel(["t0", last], signals) == {"t0": "queued", last: "finished"}
