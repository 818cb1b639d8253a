"""Every exception of this package, and the way one crosses the wire.

An exception leaves the process where it happened as a plain dict
(`wrap_exception`) and is raised elsewhere as a `RemoteError`
(`unwrap_exception`). Many of them become one `CompositeError`
(`collect_exceptions`).
"""

from __future__ import annotations

import builtins
import sys
import traceback as _traceback
from collections.abc import Iterable, Mapping
from typing import Any

__all__ = [
    "AlreadyDisplayedError",
    "ClientClosed",
    "CompositeError",
    "ControllerLost",
    "DependencyTimeout",
    "EngineError",
    "IPythonError",
    "ImpossibleDependency",
    "InvalidDependency",
    "KernelError",
    "NoEnginesRegistered",
    "RemoteError",
    "TaskAborted",
    "TaskRejectError",
    "TaskTimeout",
    "TimeoutError",
    "UnmetDependency",
    "collect_exceptions",
    "unwrap_exception",
    "wrap_exception",
]

TimeoutError = builtins.TimeoutError

#: What one engine said of a failure: ``engine_uuid``, ``engine_id``, ``method``.
EngineInfo = Mapping[str, Any]


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


class ControllerLost(EngineError):
    """The controller went away, so that no result can arrive any more."""


class ClientClosed(ControllerLost, OSError):
    """The client was closed: what it submits, or waits for, comes to nothing."""


class NoEnginesRegistered(KernelError):
    """Work was submitted while no engine was there to do it."""

    def __str__(self) -> str:
        return (
            "This operation requires engines, and none is registered yet."
            " Wait for them with `client.wait_for_engines(n)`."
        )


class TaskAborted(KernelError):
    """The task was aborted before it started."""


class TaskTimeout(KernelError):
    """The task did not start, or did not end, within the time it was given."""


class UnmetDependency(KernelError):
    """An engine does not meet what a task requires of it."""


class ImpossibleDependency(UnmetDependency):
    """What the task requires can never be met."""


class DependencyTimeout(ImpossibleDependency):
    """What the task requires was not met in time."""


class InvalidDependency(ImpossibleDependency):
    """What the task requires is not something that can be required."""


class TaskRejectError(KernelError):
    """A task was refused by the engine that got it."""


class RemoteError(KernelError):
    """An exception that was raised somewhere else.

    Parameters
    ----------
    ename : str
        Name of the exception's class.
    evalue : str
        Text of the exception.
    traceback : str
        The traceback, rendered where it happened.
    engine_info : dict, optional
        ``engine_uuid``, ``engine_id`` and ``method`` of the request that failed.
    """

    ename: str
    evalue: str
    traceback: str
    engine_info: dict[str, Any]

    def __init__(
        self, ename: str, evalue: str, traceback: str, engine_info: EngineInfo | None = None
    ) -> None:
        super().__init__(ename, evalue)
        self.ename = ename
        self.evalue = evalue
        self.traceback = traceback
        self.engine_info = dict(engine_info or {})

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.ename, self.evalue, self.traceback, self.engine_info)

    def __repr__(self) -> str:
        engine_id = self.engine_info.get("engine_id", "?")
        return f"<{type(self).__name__}[{engine_id}]:{self.ename}({self.evalue})>"

    def __str__(self) -> str:
        return f"{_origin(self.engine_info)} {self.ename}: {self.evalue}"

    def render_traceback(self) -> list[str]:
        """The remote traceback as lines, the last of which names the exception."""
        lines = (self.traceback or "No traceback available").splitlines()
        return [_origin(self.engine_info), *lines]

    def _render_traceback_(self) -> list[str]:
        # IPython and notebooks ask for this in place of the local traceback
        return self.render_traceback()

    def print_traceback(self, excid: int | None = None) -> None:
        """Print the remote traceback to ``sys.stderr``.

        Parameters
        ----------
        excid : int, optional
            Ignored; for symmetry with `CompositeError.print_traceback`.
        """
        print("\n".join(self.render_traceback()), file=sys.stderr)  # noqa: T201


#: One failure inside a CompositeError: ename, evalue, traceback, engine_info.
Failure = tuple[str, str, str, EngineInfo]


class CompositeError(RemoteError):
    """Several remote exceptions, told as one.

    Parameters
    ----------
    message : str
        What was being done.
    elist : list of (ename, evalue, traceback, engine_info)
        The failures.
    """

    #: How many tracebacks are shown before the rest is only counted.
    tb_limit = 4

    def __init__(self, message: str, elist: Iterable[Failure]) -> None:
        self.elist = list(elist)
        self.msg = message
        super().__init__("CompositeError", message, "", {})
        self.args = (message, self.elist)

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.msg, self.elist)

    def __repr__(self) -> str:
        return f"CompositeError({len(self.elist)})"

    def __str__(self) -> str:
        lines = [self.msg]
        for ename, evalue, _, info in self.elist[: self.tb_limit]:
            lines.append(f"{_origin(info)}{' ' if not info else ''}{ename}: {evalue}")
        return "\n".join(lines + self._rest())

    def _rest(self) -> list[str]:
        hidden = len(self.elist) - self.tb_limit
        return [f".... {hidden} more exceptions ..."] if hidden > 0 else []

    def _one(self, excid: int) -> RemoteError:
        try:
            return RemoteError(*self.elist[excid])
        except IndexError:
            raise IndexError(
                f"no exception {excid}: there are {len(self.elist)} (0 to {len(self.elist) - 1})"
            ) from None

    def render_traceback(self, excid: int | None = None) -> list[str]:
        """The tracebacks as lines.

        Parameters
        ----------
        excid : int, optional
            Index of the one failure to show; by default the first `tb_limit`.

        Raises
        ------
        IndexError
            There is no failure of that index.
        """
        if excid is not None:
            return self._one(excid).render_traceback()
        lines = [self.msg]
        for failure in self.elist[: self.tb_limit]:
            lines += [*RemoteError(*failure).render_traceback(), ""]
        return lines + self._rest()

    def print_traceback(self, excid: int | None = None) -> None:
        """Print one traceback, or the first `tb_limit` of them, to ``sys.stderr``."""
        print("\n".join(self.render_traceback(excid)), file=sys.stderr)  # noqa: T201

    def raise_exception(self, excid: int = 0) -> None:
        """Raise one of the failures as a `RemoteError`.

        Parameters
        ----------
        excid : int
            Its index in `elist`.

        Raises
        ------
        RemoteError
            The failure asked for.
        IndexError
            There is no failure of that index.
        """
        raise self._one(excid)


class AlreadyDisplayedError(RemoteError):
    """Stands for errors whose tracebacks the user has already been shown."""

    def __init__(self, original_error: RemoteError) -> None:
        self.original_error = original_error
        self.n = len(original_error.elist) if isinstance(original_error, CompositeError) else 1
        super().__init__("AlreadyDisplayedError", str(self), "", {})
        self.args = (original_error,)

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.original_error,)

    def __str__(self) -> str:
        return f"{self.n} errors"

    def render_traceback(self) -> list[str]:
        """One line: the tracebacks were shown before."""
        return [str(self)]


def _origin(info: EngineInfo) -> str:
    if not info:
        return "[Engine Exception]"
    return f"[{info.get('engine_id', '?')}:{info.get('method', '?')}]"


def collect_exceptions(results: Any, method: str = "unspecified") -> Any:
    """Return `results` if none of them failed, else raise what failed as one.

    Parameters
    ----------
    results : list or dict
        Results, some of which may be exceptions.
    method : str
        What was being done, for the message.

    Returns
    -------
    list or dict
        `results`, unchanged.

    Raises
    ------
    CompositeError
        At least one result is an exception of this package.
    """
    failures: list[Failure] = []
    for result in results.values() if isinstance(results, dict) else results:
        if isinstance(result, CompositeError):
            failures += result.elist
        elif isinstance(result, RemoteError):
            failures.append((result.ename, result.evalue, result.traceback, result.engine_info))
        elif isinstance(result, IPythonError):
            # such as TaskAborted and EngineError: failures too, though no engine sent a traceback
            failures.append((type(result).__name__, str(result), str(result), {}))
    if failures:
        raise CompositeError(f"one or more exceptions raised in: {method}", failures)
    return results


def wrap_exception(engine_info: EngineInfo | None = None) -> dict[str, Any]:
    """The exception being handled, as the content of an error reply.

    Parameters
    ----------
    engine_info : dict, optional
        Which engine and method it was.

    Returns
    -------
    dict
        ``status`` ('error'), ``ename``, ``evalue``, ``traceback`` (list of str), ``engine_info``.
    """
    kind, value, tb = sys.exc_info()
    return describe_exception(
        value if value is not None else kind or Exception(),
        _traceback.format_exception(kind, value, tb),
        engine_info,
    )


def describe_exception(
    exception: Any, lines: Iterable[str] = (), engine_info: EngineInfo | None = None
) -> dict[str, Any]:
    """Like `wrap_exception`, for an exception that was never raised.

    Parameters
    ----------
    exception : BaseException
        What failed.
    lines : iterable of str
        Its rendered traceback.
    engine_info : dict, optional
        Which engine and method it was.
    """
    return {
        "status": "error",
        "ename": type(exception).__name__,
        "evalue": _text(exception),
        "traceback": list(lines),
        "engine_info": dict(engine_info or {}),
    }


def _text(exception: Any) -> str:
    """The text of an exception; what went wrong instead, if its class cannot say it."""
    try:
        return str(exception)
    except Exception as e:  # noqa: BLE001  (the class may be a user's)
        return f"<the text of {type(exception).__name__} failed: {type(e).__name__}>"


#: Raised as themselves when no engine is behind them: the controller made these.
_OWN_ERRORS = {
    cls.__name__: cls
    for cls in (
        ControllerLost,
        EngineError,
        ImpossibleDependency,
        InvalidDependency,
        TaskAborted,
        TaskTimeout,
    )
}


def unwrap_exception(content: Mapping[str, Any]) -> KernelError:
    """The exception that the content of an error reply tells of.

    Parameters
    ----------
    content : dict
        As `wrap_exception` makes it.

    Returns
    -------
    KernelError
        A `RemoteError`; or, when it is not code on an engine that failed but the cluster
        itself, the class the controller named, such as `EngineError`.
    """
    ename = str(content.get("ename", "UnknownError"))
    evalue = str(content.get("evalue", ""))
    engine_info = content.get("engine_info") or {}
    lines = content.get("traceback") or []
    own = _OWN_ERRORS.get(ename)
    if own is not None and not engine_info:
        return own(evalue) if evalue else own()
    text = lines if isinstance(lines, str) else "\n".join(map(str, lines))
    return RemoteError(ename, evalue, text, engine_info)
