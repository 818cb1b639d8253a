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


class Cancel(NamedTuple):
    """Ask the engine not to run these jobs, and to interrupt the one of them that runs."""

    engine: Engine
    jobs: tuple[Job, ...]
    #: Whether to interrupt that one.
    interrupt: bool = True


class Replace(NamedTuple):
    """Kill the engine, and start another in its place."""

    engine: Engine
    reason: str


class Deliver(NamedTuple):
    """Give the engine's reply to the client of the job."""

    job: Job
    reply: Any


class Fail(NamedTuple):
    """Tell the client of the job that it has ended without running to its end."""

    job: Job
    error: Exception
    #: Where it was, if it was on an engine.
    engine: Engine | None = None


class Abort(NamedTuple):
    """Tell the client of the job that it was not run, as was asked."""

    job: Job


class Answer(NamedTuple):
    """Tell who asked to cancel tasks where each of them was."""

    request: Any
    outcomes: dict[str, str]


Command = Dispatch | Recall | Cancel | Replace | Deliver | Fail | Abort | Answer
