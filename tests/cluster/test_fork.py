"""A process that is forked from a client's does not use the client, and does not disturb it."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

import ipyparallel as ipp

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")

#: Ends the child, should it hang.
PATIENCE = 20


def attempts(view: ipp.LoadBalancedView, pending: ipp.AsyncResult, results) -> dict:
    return {
        "submit": lambda: view.apply_async(abs, 1),
        "map": lambda: view.map_async(abs, [1]),
        "wait": lambda: pending.wait(),
        "get": lambda: pending.get(),
        "next": lambda: next(results),
        "abort": lambda: view.abort(),
    }


def outcomes(calls: dict) -> list[str]:
    """The names of those that do what they should not."""
    wrong = []
    for name, call in calls.items():
        try:
            call()
        except ipp.error.ClientClosed as e:
            if "forked" in str(e):
                continue
        except BaseException as e:  # noqa: BLE001
            name += repr(e)
        wrong.append(name)
    return wrong


def when_there(path: str) -> str:
    import os
    import time

    while not os.path.exists(path):
        time.sleep(0.01)
    return path


def test_a_forked_process_is_told(client: ipp.Client, tmp_path: Path) -> None:
    view = client.load_balanced_view()
    go = tmp_path / "go"
    pending = view.apply_async(when_there, str(go))
    results = view.imap(when_there, [str(go)] * 3)
    read, write = os.pipe()
    child = os.fork()
    if not child:
        signal.alarm(PATIENCE)
        try:
            os.write(write, "; ".join(outcomes(attempts(view, pending, results))).encode())
        finally:
            os._exit(0)
    os.close(write)
    _, status = os.waitpid(child, 0)
    go.touch()
    with os.fdopen(read) as file:
        assert (file.read(), status) == ("", 0)
    assert pending.get(PATIENCE) == str(go)
    assert len(list(results)) == 3
    assert view.apply_sync(abs, -2) == 2
