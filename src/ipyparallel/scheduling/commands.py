"""What the task machine wants done. Whoever drives it carries these out, in order."""

from __future__ import annotations

from typing import Any, NamedTuple

from .state import Engine, Job


class Dispatch(NamedTuple):
    """Send the job to the engine."""

    engine: Engine
    job: Job


class Recall(NamedTuple):
    """Ask the engine to give back those of these jobs that it has not begun."""

    engine: Engine
    jobs: tuple[Job, ...]


class Deliver(NamedTuple):
    """Give the engine's reply to the client of the job."""

    job: Job
    reply: Any


class Fail(NamedTuple):
    """Tell the client of the job that it has ended without running to its end."""

    job: Job
    error: Exception


Command = Dispatch | Recall | Deliver | Fail
