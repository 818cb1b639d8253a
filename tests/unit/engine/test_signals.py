"""Names and numbers of signals."""

from __future__ import annotations

import signal

import pytest

from ipyparallel.engine.signals import parse_signal, signal_name


@pytest.mark.parametrize("sig", ["SIGINT", 2, signal.SIGINT])
def test_names_and_numbers(sig):
    assert parse_signal(sig) == signal.SIGINT


def test_numbers_without_a_name_and_no_signal_at_all():
    assert parse_signal(0) == 0
    assert parse_signal(signal.SIGRTMIN + 1) == signal.SIGRTMIN + 1
    assert signal_name(signal.SIGRTMIN + 1) == f"signal {signal.SIGRTMIN + 1}"
    assert signal_name(9) == "SIGKILL"


@pytest.mark.parametrize("sig", ["SIGFOO", "", "SIG_DFL", "sigint", "Signals", "9", -1, 10_000])
def test_what_is_no_signal(sig):
    with pytest.raises(ValueError, match=r"no signal .* such as 'SIGINT'"):
        parse_signal(sig)


@pytest.mark.parametrize("sig", [True, 2.0, None, [2], b"SIGINT"])
def test_what_cannot_be_a_signal(sig):
    with pytest.raises(TypeError, match="a signal must be a name"):
        parse_signal(sig)
