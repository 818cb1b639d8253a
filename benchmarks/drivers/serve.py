"""The driver's side of the conversation: a command a line in, a reply a line out."""

import json
import os
import statistics
import sys
import time
from collections.abc import Callable
from typing import Protocol


class Subject(Protocol):
    """What every driver can do; its other public methods are commands too."""

    def about(self) -> dict[str, object]:
        """Tell the version and what importing it took."""

    def start(self, n: int) -> float:
        """Start `n` workers; return the seconds until they can be used."""

    def round_trip(self, warm: int, count: int) -> float:
        """Return the median round trip of a no-op, in milliseconds."""

    def tasks(self, warm: int, count: int) -> float:
        """Return the separate no-op tasks done in a second."""

    def stop(self) -> None:
        """Stop whatever was started; harmless when nothing was."""


def median_ms(call: Callable[[], object], warm: int, count: int) -> float:
    """Time `count` calls one by one, after `warm` calls that are not counted.

    Returns
    -------
    float
        The median, in milliseconds.
    """
    for _ in range(warm):
        call()
    taken = []
    for _ in range(count):
        began = time.perf_counter()
        call()
        taken.append(time.perf_counter() - began)
    return statistics.median(taken) * 1e3


def per_second(run: Callable[[int], object], warm: int, count: int) -> float:
    """Time one `run(count)`, after a `run(warm)` that is not counted.

    Returns
    -------
    float
        Tasks a second, from the first submission to the last result.
    """
    run(warm)
    began = time.perf_counter()
    run(count)
    return count / (time.perf_counter() - began)


def serve(subject: Subject) -> None:
    """Obey commands until standard input ends, then stop the subject.

    An error is not caught: its traceback goes to the log, the subject is stopped, the process
    ends, and the benchmark reads the log.

    Parameters
    ----------
    subject
        What is measured. A line `{"do": NAME, ...}` calls its method NAME with the rest.
    """
    # The package and its children may print. They get standard error (a log file); the replies
    # keep a descriptor of their own, which no child inherits.
    replies = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    try:
        for line in iter(sys.stdin.readline, ""):
            command = json.loads(line)
            value = getattr(subject, command.pop("do"))(**command)
            print(json.dumps({"value": value}), file=replies, flush=True)
    finally:
        subject.stop()
