"""The client's tasks: found by their ids, waited for, and forgotten."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import Future
from concurrent.futures import wait as wait_for_futures
from typing import Any

from .messaging.history import History
from .messaging.messenger import Messenger
from .messaging.resolving import is_done, outcome
from .messaging.tasks import MessageFuture, TaskTable
from .results import AsyncResult
from .waiting import deadline_after, show_progress, time_left

#: What names tasks: an index into the history, a message id, a result, or several of these.
Jobs = int | str | Future[Any] | Collection[Any] | None


def msg_ids_of(jobs: Jobs, history: Sequence[str]) -> list[str]:
    """The ids of the messages that are named.

    Raises
    ------
    TypeError
        Something that names no task.
    IndexError
        The history is not that long.
    """
    if isinstance(jobs, str):
        return [jobs]
    if isinstance(jobs, int) and not isinstance(jobs, bool):
        return [history[jobs]]
    if isinstance(jobs, AsyncResult):
        return jobs.msg_ids
    if isinstance(jobs, MessageFuture):
        return [jobs.msg_id]
    if isinstance(jobs, Collection) and not isinstance(jobs, (bytes, Mapping)):
        return [msg_id for job in jobs for msg_id in msg_ids_of(job, history)]
    raise TypeError(
        f"tasks are named by message ids, indices into the history, or results, not {jobs!r}"
    )


class _ByTask(Mapping[str, Any]):
    """Something about each task that is known, by its message id."""

    def __init__(self, tasks: TaskTable, get: Callable[[MessageFuture], Any]) -> None:
        self._tasks = tasks
        self._get = get

    def __getitem__(self, msg_id: str) -> Any:
        task = self._tasks.find(msg_id)
        if task is None:
            raise KeyError(msg_id)
        return self._get(task)

    def __iter__(self) -> Iterator[str]:
        return iter([task.msg_id for task in self._tasks.known()])

    def __len__(self) -> int:
        return len(self._tasks.known())

    def __repr__(self) -> str:
        return repr(dict(self))


def _result(task: MessageFuture) -> Any:
    if not task.done():
        raise KeyError(f"{task.msg_id} has no result yet")
    return outcome(task)


class TaskMethods:
    """The part of `Client` about the tasks that it has submitted."""

    _messenger: Messenger
    block: bool

    @property
    def history(self) -> History:
        """Ids of the last messages that were submitted."""
        return self._messenger.history

    @property
    def outstanding(self) -> set[str]:
        """Ids of the messages whose results are to come."""
        return set(self._messenger.tasks.pending)

    @property
    def results(self) -> Mapping[str, Any]:
        """Results by message id, of the tasks that somebody still holds."""
        return _ByTask(self._messenger.tasks, _result)

    @property
    def metadata(self) -> Mapping[str, Any]:
        """`Metadata` by message id, of the tasks that somebody still holds."""
        return _ByTask(self._messenger.tasks, lambda task: task.metadata)

    # ---- waiting

    def wait(self, jobs: Jobs = None, timeout: float | None = -1) -> bool:
        """Wait for tasks to end.

        Parameters
        ----------
        jobs : optional
            An index into the history, a message id, a result, or several of them; by default
            everything outstanding. What is not known has ended.
        timeout : float, optional
            Seconds; None or a negative number: for ever.

        Returns
        -------
        bool
            Whether all have ended.
        """
        deadline = deadline_after(timeout)
        return all(is_done(future, time_left(deadline)) for future in self._futures_of(jobs))

    def wait_interactive(
        self, jobs: Jobs = None, interval: float = 1.0, timeout: float | None = -1.0
    ) -> None:
        """Wait for tasks to end, and show a bar of how many have.

        Parameters
        ----------
        jobs : optional
            As for `wait`.
        interval : float
            Seconds between updates.
        timeout : float, optional
            Seconds after which to return all the same; None or a negative number: never.
        """
        futures = self._futures_of(jobs)
        if not futures:
            return
        show_progress(
            lambda seconds: not wait_for_futures(futures, seconds).not_done,
            lambda: sum(future.done() for future in futures),
            total=len(futures),
            desc="",
            unit="tasks",
            interval=interval,
            timeout=timeout,
        )

    def _futures_of(self, jobs: Jobs) -> list[Future[Any]]:
        pending = self._messenger.tasks.pending
        if jobs is None:
            return list(pending.values())
        if isinstance(jobs, Future):
            return [jobs]
        if isinstance(jobs, Collection) and not isinstance(jobs, str):
            return [future for job in jobs for future in self._futures_of(job)]
        return [pending[msg_id] for msg_id in msg_ids_of(jobs, self.history) if msg_id in pending]

    # ---- of ipyparallel 4 and before: replies are read in a thread

    def spin(self) -> None:
        """Not needed: replies are read as they come."""
        _deprecated("spin")

    def spin_thread(self, interval: float = 1) -> None:
        """Not needed: replies are read as they come."""
        _deprecated("spin_thread")

    def stop_spin_thread(self) -> None:
        """Not needed: replies are read as they come."""
        _deprecated("stop_spin_thread")


def _deprecated(name: str) -> None:
    warnings.warn(
        f"Client.{name} is not needed any more: replies are read as they come",
        DeprecationWarning,
        stacklevel=3,
    )
