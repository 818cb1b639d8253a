"""Every exception of this package, and the way one crosses the wire.

An exception leaves the process where it happened as a plain dict (`wrap_exception`) and is raised
elsewhere as a `RemoteError` that is of the original type, too (`unwrap_exception`). Many of them
become one `CompositeError`, which is an `ExceptionGroup` (`collect_exceptions`).
"""

import builtins

from .local import (
    ClientClosed,
    ControllerLost,
    DependencyTimeout,
    EngineError,
    ImpossibleDependency,
    InvalidDependency,
    IPythonError,
    KernelError,
    MessageTooLarge,
    NoEnginesRegistered,
    TaskAborted,
    TaskCancelled,
    TaskRejectError,
    TaskTimeout,
    UnmetDependency,
    VersionMismatchWarning,
)
from .local import engine_died as engine_died
from .local import may_have_died as may_have_died
from .remote import AlreadyDisplayedError, CompositeError, RemoteError, collect_exceptions
from .remote import compose_exceptions as compose_exceptions
from .remote import without_colors as without_colors
from .wire import describe_exception as describe_exception
from .wire import unwrap_exception, wrap_exception

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
    "MessageTooLarge",
    "NoEnginesRegistered",
    "RemoteError",
    "TaskAborted",
    "TaskCancelled",
    "TaskRejectError",
    "TaskTimeout",
    "TimeoutError",
    "UnmetDependency",
    "VersionMismatchWarning",
    "collect_exceptions",
    "unwrap_exception",
    "wrap_exception",
]

TimeoutError = builtins.TimeoutError

# where a class is defined is our own affair: tracebacks and pickles name its public address
for _class in list(vars().values()):
    if isinstance(_class, type) and issubclass(_class, (IPythonError, VersionMismatchWarning)):
        _class.__module__ = __name__
del _class
