"""Exceptions as the content of an error reply, and back."""

from __future__ import annotations

import sys
import traceback as _traceback
from collections.abc import Iterable, Mapping
from typing import Any

from . import local
from .local import KernelError
from .remote import EngineInfo, known_type, remote_error


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
        local.ControllerLost,
        local.DependencyTimeout,
        local.EngineError,
        local.ImpossibleDependency,
        local.InvalidDependency,
        local.TaskAborted,
        local.TaskTimeout,
    )
}


def unwrap_exception(
    content: Mapping[str, Any], original: BaseException | None = None
) -> KernelError:
    """The exception that the content of an error reply tells of.

    Parameters
    ----------
    content : dict
        As `wrap_exception` makes it.
    original : BaseException, optional
        What was raised, if it could be brought here. Without it, the type is looked for among
        Python's own and this package's.

    Returns
    -------
    KernelError
        A `RemoteError`, which is an instance of the original type, too; or, when it is not code
        on an engine that failed but the cluster itself, the class the controller named, such as
        `EngineError`.
    """
    ename = str(content.get("ename", "UnknownError"))
    evalue = str(content.get("evalue", ""))
    engine_info = content.get("engine_info") or {}
    lines = content.get("traceback") or []
    own = _OWN_ERRORS.get(ename)
    if own is not None and not engine_info:
        return own(evalue) if evalue else own()
    text = lines if isinstance(lines, str) else "\n".join(map(str, lines))
    kind = type(original) if original is not None else known_type(ename)
    return remote_error(ename, evalue, text, engine_info, kind=kind, original=original)
