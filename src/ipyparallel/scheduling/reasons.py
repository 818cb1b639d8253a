"""Why tasks end without having run to their end, as errors for their clients."""

from __future__ import annotations

from collections.abc import Container

from ..error import DependencyTimeout, ImpossibleDependency, TaskTimeout
from .state import Job


def no_engine(job: Job, engines: Container[str]) -> ImpossibleDependency:
    """None of the engines (uuids) may run it."""
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


def unmet_everywhere(job: Job, what: str = "") -> ImpossibleDependency:
    """All engines lack something; what the last one lacks, if that is known."""
    said = f"; the last one said: {what}" if what else ""
    return ImpossibleDependency(
        f"no engine meets what task {job.msg_id} requires ({len(job.unmet)} were tried){said}"
    )


def waited_too_long(job: Job) -> DependencyTimeout:
    """It has waited for longer than it may."""
    return DependencyTimeout(
        f"task {job.msg_id} has waited for {job.terms.timeout:g} s, the longest that it may"
    )


def ran_too_long(job: Job) -> TaskTimeout:
    """It has run for longer than it may."""
    limit = job.terms.time_limit
    return TaskTimeout(f"task {job.msg_id} ran longer than its time limit of {limit:g} s")
