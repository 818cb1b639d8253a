"""Code that waits for a file, and requests that have arrived behind it."""

from __future__ import annotations

from pathlib import Path

import ipyparallel as ipp

from .processes import wait_until


def wait_for_file(path: Path, begun: Path | None = None) -> str:
    """Code that waits for a file on its engine, once it has made another, and ends its line."""
    mark = f"open({str(begun)!r}, 'w').close(); " if begun is not None else ""
    loop = f"while not os.path.exists({str(path)!r}): time.sleep(0.01)"
    return f"import os, time; {mark}exec({loop!r}); "


def wait_for_queue(client: ipp.Client, number: int, engine: int = 0) -> None:
    """Return when so many direct requests are on an engine, the running one included."""
    wait_until(lambda: client.queue_status(engine)["queue"] == number, "requests to arrive")
