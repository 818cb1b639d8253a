"""Processes that are told apart from later ones of the same number."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

from ipyparallel.engine.engine_process import EngineProcess


@pytest.fixture(params=["handle", "number"])
def process(request, monkeypatch):
    if request.param == "number":
        monkeypatch.delattr(os, "pidfd_open", raising=False)
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as popen:
        yield popen
        popen.kill()


def test_a_process_gets_signals_until_it_has_ended(process):
    engine = EngineProcess(process.pid)
    assert engine.alive
    assert engine.send_signal(0)
    assert engine.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    assert not engine.alive
    assert not engine.send_signal(signal.SIGKILL)
    engine.close()


def test_a_process_that_has_ended_already():
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        process.wait()
    engine = EngineProcess(process.pid)
    assert not engine.alive
    assert not engine.send_signal(signal.SIGKILL)
