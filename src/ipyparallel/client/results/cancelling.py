"""Results that nobody wants any more."""

from __future__ import annotations

from collections.abc import Iterable

from ...error import TaskAborted, TaskCancelled
from ..messaging.cancellation import Cancellation
from ..messaging.cancelling import cancel
from ..messaging.resolving import SafeFuture, error_of
from ..messaging.tasks import MessageFuture


class CancellableResult(SafeFuture):
    """The part of `AsyncResult` that cancels its tasks."""

    _children: list[MessageFuture]
    _single: bool
    _fname: str

    def cancel(self) -> Cancellation:  # type: ignore[override]
        """Cancel the tasks, wherever they are: waiting, queued on an engine, or running.

        Those that wait will not be run, and those that run are interrupted. Afterwards this is
        cancelled, as `cancelled` says: `get` and `result` raise `TaskCancelled`, which is a
        `concurrent.futures.CancelledError`, too. When some of several tasks had ended already,
        their results are kept: ``ar.get(return_exceptions=True)`` returns them, and iterating
        yields them.

        Waits until scheduler and engines have answered, which takes a round trip. In callbacks,
        of futures or event loops, it does not wait, and the tasks are cancelled all the same.

        Returns
        -------
        Cancellation
            Equal to True if this is cancelled now, and to False if all tasks had ended; it says
            where each of them was.

        See Also
        --------
        abort : The tasks fail with TaskAborted, and this is not a cancelled future.
        """
        cancellation = self._cancel(wait=True)
        self._note_cancelled()
        return cancellation

    def _cancel(self, wait: bool) -> Cancellation:
        return cancel(self._children, wait)

    def _note_cancelled(self) -> bool:
        """Be cancelled if any of the tasks is, and say so."""
        cancelled = sum(child.cancelled() for child in self._children)
        if not cancelled:
            return False
        error = error_of(self._children[0]) if self._single else None
        if not isinstance(error, TaskCancelled):
            number = len(self._children)
            error = TaskCancelled(f"{cancelled} of {number} tasks of {self._fname} were cancelled")
        self.set_cancelled(error)
        return True

    def abort(self) -> Cancellation:
        """Have the tasks end, with `TaskAborted`: those that wait are not run, others interrupted.

        Returns
        -------
        Cancellation
            Where each of the tasks was.

        Raises
        ------
        RuntimeError
            All have ended.
        """
        if self.done():
            raise RuntimeError("Cannot abort: all tasks have ended.")
        return cancel(self._children, error=TaskAborted)


def cancel_together(
    results: Iterable[CancellableResult],
    others: Iterable[MessageFuture] = (),
    *,
    interrupt: bool = True,
) -> Cancellation:
    """Cancel many results, and other tasks, by one request; see `CancellableResult.cancel`.

    Parameters
    ----------
    interrupt : bool
        Whether tasks that run are cancelled, too.
    """
    results = list(results)
    tasks = [child for result in results for child in result._children]
    cancellation = cancel([*tasks, *others], interrupt=interrupt)
    for result in results:
        result._note_cancelled()
    return cancellation
