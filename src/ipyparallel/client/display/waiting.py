"""Waiting for output, which takes another way than the results."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import wait

from ..messaging.tasks import MessageFuture

#: Seconds in which nothing of the output that is to come has come: then it is given up.
GRACE = 1.0


def wait_for_output(tasks: Iterable[MessageFuture], grace: float = GRACE) -> bool:
    """Wait for the output of those tasks that have ended, as long as some still comes.

    Parameters
    ----------
    grace : float
        Seconds without any new output, after which no more is waited for: what was lost on the
        way never comes.

    Returns
    -------
    bool
        Whether all of it is there.
    """
    missing = [task for task in tasks if task.done() and not task.output_done]
    while missing:
        seen = sum(task.output_seen for task in missing)
        wait([task.output for task in missing], timeout=grace)
        missing = [task for task in missing if not task.output_done]
        if sum(task.output_seen for task in missing) == seen:
            return not missing
    return True
