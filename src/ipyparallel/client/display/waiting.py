"""Waiting for output, which takes another way than the results.

All that wait do so by one rule: as long as some comes. What was lost on the way never comes.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, wait

from ..messaging.tasks import MessageFuture

#: Seconds in which nothing of the output that is to come has come: then it is given up.
GRACE = 1.0


def announced(tasks: Iterable[MessageFuture]) -> list[MessageFuture]:
    """Those whose replies have said that there is output which has not come."""
    return [task for task in tasks if task.output_expected is not None and not task.output_done]


def missing_output(tasks: Iterable[MessageFuture]) -> Iterator[list[Future[None]]]:
    """What to wait for, again and again, for all output of those tasks that have ended.

    Yields
    ------
    list of Future
        To be waited for, at most `GRACE` seconds. If nothing has come meanwhile, it is the last.
    """
    missing = [task for task in tasks if task.done() and not task.output_done]
    while missing:
        seen = sum(task.output_seen for task in missing)
        yield [task.output for task in missing]
        if sum(task.output_seen for task in missing) == seen:
            return
        missing = [task for task in missing if not task.output_done]


def wait_for_output(tasks: Sequence[MessageFuture], deadline: float | None = None) -> bool:
    """Wait for the output of those tasks that have ended, as long as some still comes.

    Parameters
    ----------
    deadline : float, optional
        When to stop in any case, in the time of `time.monotonic`.

    Returns
    -------
    bool
        Whether all of it is there.
    """
    for outputs in missing_output(tasks):
        left = GRACE if deadline is None else min(GRACE, deadline - time.monotonic())
        if left <= 0:
            break
        wait(outputs, timeout=left)
    return all(task.output_done for task in tasks if task.done())
