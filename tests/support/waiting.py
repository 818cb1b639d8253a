"""Code that waits for a file, and requests that have arrived behind it."""

from __future__ import annotations

import os
import time
from pathlib import Path

import ipyparallel as ipp

from .processes import wait_until


def wait_for_file(path: Path, begun: Path | None = None) -> str:
    """Code that waits for a file, once it has made another; more may follow on the same line."""
    mark = f"open({str(begun)!r}, 'w').close(); " if begun is not None else ""
    loop = f"while not os.path.exists({str(path)!r}): time.sleep(0.01)"
    return f"import os, time; {mark}exec({loop!r}); "


def return_when(path: str, value: object = None) -> object:
    """For engines: wait for a file, and return a value."""
    while not os.path.exists(path):
        time.sleep(0.01)
    return value


def wait_for_queue(client: ipp.Client, number: int, engine: int = 0) -> None:
    """Return when so many direct requests were passed on to an engine and have no answer; the one
    that runs is one of them.
    """
    wait_until(lambda: client.queue_status(engine)["queue"] == number, "requests to arrive")
