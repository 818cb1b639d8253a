"""What fails in the cluster itself, rather than in the user's code on an engine."""

from __future__ import annotations

from concurrent.futures import CancelledError


class IPythonError(Exception):
    """Base of all exceptions of this package."""


class KernelError(IPythonError):
    """Something failed outside the code of the user."""


class EngineError(KernelError):
    """An engine died, or left, while it still owed a result."""


def engine_died(engine_id: int, msg_id: str, reason: str) -> EngineError:
    """The error of a task whose engine died.

    Parameters
    ----------
    engine_id : int
    msg_id : str
        The task.
    reason : str
        How it died, such as ``killed by SIGKILL``; empty if nobody knows.
    """
    how = f": {reason}" if reason else ""
    return EngineError(f"Engine {engine_id} died while running task {msg_id!r}{how}")


def may_have_died(engine_id: int, msg_id: str, reason: str) -> EngineError:
    """The error of a task that an engine may have had which died; see `engine_died`."""
    how = f" ({reason})" if reason else ""
    return EngineError(
        f"task {msg_id} may have been on engine {engine_id}, which is gone{how}: the pure"
        " scheduler does not know which tasks an engine has; use another scheme to keep those of"
        " other engines"
    )


class ControllerLost(EngineError):
    """The controller went away, so that no result can arrive any more."""


class ClientClosed(ControllerLost, OSError):
    """The client was closed: what it submits, or waits for, comes to nothing."""


class MessageTooLarge(KernelError, ValueError):
    """A message would be larger than is allowed; it was not sent."""


class NoEnginesRegistered(KernelError):
    """Work was submitted while no engine was there to do it."""

    def __str__(self) -> str:
        return (
            "This operation requires engines, and none is registered yet."
            " Wait for them with `client.wait_for_engines(n)`."
        )


class TaskAborted(KernelError):
    """The task was aborted: it did not begin, or was interrupted."""


class TaskCancelled(TaskAborted, CancelledError):
    """The task was cancelled, by `AsyncResult.cancel` for example.

    A `concurrent.futures.CancelledError`, too.
    """


class TaskTimeout(KernelError):
    """The task did not begin, or did not end, within the time it was given."""


class UnmetDependency(KernelError):
    """An engine does not meet what a task requires of it."""


class ImpossibleDependency(UnmetDependency):
    """What the task requires can never be met."""


class DependencyTimeout(ImpossibleDependency, TaskTimeout):
    """The task still waited, for others or for an engine, when the time that it may was over."""


class InvalidDependency(ImpossibleDependency):
    """What the task requires is not something that can be required."""


class TaskRejectError(KernelError):
    """A task was refused by the engine that got it."""


class VersionMismatchWarning(UserWarning):
    """Client and engines have different versions of Python, or of what else is pickled."""
