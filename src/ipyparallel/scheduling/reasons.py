"""Why a job ends without having run to its end, in words for its client."""

from __future__ import annotations

from collections.abc import Container

from ..error import DependencyTimeout, EngineError, ImpossibleDependency, TaskTimeout
from .state import Engine, Job


def no_engine(job: Job, engines: Container[str]) -> ImpossibleDependency:
    """No engine can ever run it.

    Parameters
    ----------
    engines : container of str
        Those (uuids) that are there.
    """
    terms = job.terms
    if job.unmet:
        return unmet_everywhere(job)
    if job.allowed and not any(uuid in engines for uuid in job.allowed):
        which = "is restricted to" if terms.targets else "has to run on, by what it follows,"
        return ImpossibleDependency(
            f"none of the engines that task {job.msg_id} {which} is there (any more):"
            f" {', '.join(sorted(job.allowed))}"
        )
    needs = ", ".join(f"{name}={amount:g}" for name, amount in terms.resources)
    return ImpossibleDependency(
        f"task {job.msg_id} needs {needs}, and no engine that may run it has that much"
    )


def unmet_everywhere(job: Job) -> ImpossibleDependency:
    """All engines that may run it lack what it requires."""
    said = f"; the last one said: {job.lacks}" if job.lacks else ""
    return ImpossibleDependency(
        f"no engine meets what task {job.msg_id} requires ({len(job.unmet)} were tried){said}"
    )


def waited_too_long(job: Job) -> DependencyTimeout:
    """It has not begun in time."""
    return DependencyTimeout(
        f"task {job.msg_id} has waited for {job.terms.timeout:g} s, the longest that it may"
    )


def ran_too_long(job: Job) -> TaskTimeout:
    """It has not ended in time."""
    limit = job.terms.time_limit
    return TaskTimeout(f"task {job.msg_id} ran longer than its time limit of {limit:g} s")


def result_lost(job: Job, engine: Engine) -> EngineError:
    """It has ended, and the reply was lost on its way."""
    return EngineError(
        f"engine {engine.id} has run task {job.msg_id}, and the result was lost: the connection"
        " broke while it was on its way, and it was too large, or there were too many, to be kept"
    )


def cannot_be_sent(job: Job) -> EngineError:
    """It is not on the engine any more that brought it along when it came back."""
    return EngineError(
        f"task {job.msg_id} was submitted before the controller was started again, and its engine"
        " does not have it any more"
    )
