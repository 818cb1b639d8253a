"""Cancelling tasks, of whichever clients, and waiting until it is known what became of them."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Protocol

from ...error import TaskAborted, TaskCancelled
from .cancellation import Cancellation

if TYPE_CHECKING:
    from .cancel_requests import Cancelling
    from .tasks import MessageFuture


class Canceller(Protocol):
    """What cancels the tasks of a client: its messenger."""

    def cancel(
        self, msg_ids: Iterable[str], error: type[TaskAborted] = ..., *, interrupt: bool = ...
    ) -> Cancelling:
        """Cancel, or abort, these tasks."""

    @property
    def in_io_thread(self) -> bool:
        """Whether this is called in the thread that would handle the answers."""


def cancel(
    tasks: Sequence[MessageFuture],
    wait: bool = True,
    error: type[TaskAborted] = TaskCancelled,
    interrupt: bool = True,
) -> Cancellation:
    """Cancel tasks, and say what became of them.

    Parameters
    ----------
    tasks : sequence of MessageFuture
        Some may have ended.
    wait : bool
        Whether to wait for the answers. In callbacks nobody may wait.
    error : type
        What they fail with; see `Messenger.cancel`.
    interrupt : bool
        Whether those that run are cancelled, too.
    """
    by_client: dict[int, list[MessageFuture]] = {}
    for task in tasks:
        if not task.done() and task.canceller is not None:
            by_client.setdefault(id(task.canceller), []).append(task)
    for group in by_client.values():
        canceller = group[0].canceller
        assert canceller is not None
        cancelling = canceller.cancel([task.msg_id for task in group], error, interrupt=interrupt)
        if wait and not canceller.in_io_thread and not _in_callback():
            cancelling.wait()
        else:
            cancelling.settle()
    return Cancellation.of((task.msg_id, _where(task, error)) for task in tasks)


def _where(task: MessageFuture, error: type[TaskAborted]) -> str:
    if task.cancelled() or (task.cancelled_where and error is not TaskCancelled):
        return task.cancelled_where
    if task.done() or (task.cancelling is not None and task.msg_id in task.cancelling.finished):
        return "finished"
    return "unconfirmed"


def _in_callback() -> bool:
    """Whether an event loop has called this, which must go on; a coroutine of its own may wait."""
    try:
        return asyncio.current_task() is None
    except RuntimeError:
        return False  # no loop runs in this thread
