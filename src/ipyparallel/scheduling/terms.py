"""The terms on which a task is run: what its submitter asked for."""

from __future__ import annotations

from dataclasses import dataclass

from .dependencies import Dependency

#: How much of each resource, in the order of the names.
Amounts = tuple[tuple[str, float], ...]


@dataclass(frozen=True, slots=True)
class Terms:
    """What is asked for a task. Tasks that were asked the same for may share one.

    Parameters
    ----------
    targets : frozenset of str
        Engines (uuids) that may run it; empty for any.
    after : Dependency, optional
        What must have ended before it begins.
    follow : Dependency, optional
        It runs only where these have run.
    timeout : float
        Seconds that it may wait; 0 for any time.
    time_limit : float
        Seconds that it may run; 0 for any time.
    retries : int
        How many times it may fail, or its engine die, before that is its end.
    priority : int
        Of the tasks that wait, those of a higher priority go first.
    resources : tuple of (str, float)
        What an engine must have free, in the order of the names.
    depth : int
        How many tasks are above one that was submitted by a task.
    """

    targets: frozenset[str] = frozenset()
    after: Dependency | None = None
    follow: Dependency | None = None
    timeout: float = 0.0
    time_limit: float = 0.0
    retries: int = 0
    priority: int = 0
    resources: Amounts = ()
    depth: int = 0


#: Of most tasks: nothing in particular.
PLAIN = Terms()
