"""Exceptions that were raised on engines, as they are raised here.

One is a `RemoteError` *and* an instance of the type that was raised there, so that ``except
ZeroDivisionError`` catches it. Several are a `CompositeError`, an `ExceptionGroup` of these.

The remote traceback is shown by whatever shows exceptions: IPython and notebooks ask for it
(``_render_traceback_``), and Python itself prints it as notes to the exception.
"""

from __future__ import annotations

import builtins
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from types import GetSetDescriptorType, MemberDescriptorType
from typing import Any, Self

from . import local
from .local import IPythonError, KernelError

#: What one engine said of a failure: ``engine_uuid``, ``engine_id``, ``method``.
EngineInfo = Mapping[str, Any]

#: One failure inside a CompositeError: ename, evalue, traceback, engine_info.
Failure = tuple[str, str, str, EngineInfo]

_ANSI = re.compile(r"\x1b\[[0-9;]*m")


def without_colors(text: str) -> str:
    """The text without the codes that colour it in a terminal."""
    return _ANSI.sub("", text)


class RemoteError(KernelError):
    """An exception that was raised somewhere else.

    What is raised here is of a class made on the fly, that of this class and of the original type.

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

    Attributes
    ----------
    original : BaseException or None
        The exception itself, with its arguments and attributes, if it could be sent.
    """

    # defaults, so that no property of a user's class takes their places
    ename: str = ""
    evalue: str = ""
    traceback: str = ""
    engine_info: dict[str, Any] = {}
    original: BaseException | None = None

    #: Its place in the group that holds it, if it is one of several.
    _place: int | None = None
    _notes: Sequence[str] = ()

    def __init__(
        self, ename: str, evalue: str, traceback: str, engine_info: EngineInfo | None = None
    ) -> None:
        # not through super(): the next class may be the original type, with arguments of its own
        self.args = (ename, evalue)
        self.ename = ename
        self.evalue = evalue
        self.traceback = traceback
        self.engine_info = dict(engine_info or {})

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.ename, self.evalue, self.traceback, self.engine_info)

    def __repr__(self) -> str:
        engine_id = self.engine_info.get("engine_id", " ")
        return f"<{type(self).__name__}[{engine_id}]:{self.ename}({self.evalue})>"

    def __str__(self) -> str:
        return f"{_origin(self.engine_info)} {self.ename}: {self.evalue}"

    # ---- rendered, by Python and by IPython

    @property
    def __notes__(self) -> list[str]:
        """What Python prints below the exception: the remote traceback, and notes added here."""
        hidden = self._place is not None and self._place >= CompositeError.tb_limit
        remote = [] if hidden or not self.traceback else [without_colors(self.traceback)]
        return [*remote, *self._notes]

    @__notes__.setter
    def __notes__(self, notes: list[str]) -> None:
        # Python sets them on the parts of a group that ``except*`` takes apart
        self._notes = notes[1:] if self.traceback else list(notes)

    def add_note(self, note: str) -> None:
        """Add a note, shown below the remote traceback."""
        self._notes = [*self._notes, note]

    def render_traceback(self) -> list[str]:
        """The remote traceback, if any, as lines, the last of which names the exception."""
        lines = (self.traceback or f"{self.ename}: {self.evalue}").splitlines()
        return [_origin(self.engine_info), *lines, *self._notes]

    def _render_traceback_(self) -> list[str]:
        # IPython and notebooks ask for this in place of the local traceback
        return self.render_traceback()

    def print_traceback(self, excid: int | None = None) -> None:
        """Print the remote traceback.

        Parameters
        ----------
        excid : int, optional
            Ignored; for symmetry with `CompositeError.print_traceback`.
        """
        print("\n".join(self.render_traceback()))  # noqa: T201


# ---- of two types


def remote_error(
    ename: str,
    evalue: str,
    traceback: str,
    engine_info: EngineInfo | None = None,
    *,
    kind: type[BaseException] | None = None,
    original: BaseException | None = None,
) -> RemoteError:
    """A `RemoteError` that is an instance of the original type, too.

    Parameters
    ----------
    kind : type, optional
        The original type.
    original : BaseException, optional
        The original, whose attributes it takes over.
    """
    if kind is not None and _can_be_both(kind):
        try:
            error = _instance(kind, original)  # type: ignore[arg-type]
            RemoteError.__init__(error, ename, evalue, traceback, engine_info)
            error.original = original
        except BaseException:  # noqa: BLE001  (the class may be a user's, with a will of its own)
            pass
        else:
            return error
    return RemoteError(ename, evalue, traceback, engine_info)


def _instance(kind: type[Exception], original: BaseException | None) -> RemoteError:
    """An empty instance of both types."""
    both = _both(kind)  # type: ignore[arg-type]
    # that of MemoryError is for MemoryErrors only
    new = Exception.__new__ if kind.__new__ is MemoryError.__new__ else both.__new__
    error: RemoteError = new(both, *(original.args if original is not None else ()))
    if original is not None:
        _copy_state(original, error)
    return error


def known_type(ename: str) -> type[BaseException] | None:
    """The exception of Python or of this package that has this name."""
    for module in (builtins, local):
        found = getattr(module, ename, None)
        if isinstance(found, type) and issubclass(found, BaseException):
            return found
    return None


#: What these mean would happen here: the end of this program, or of a loop.
_NOT_HERE = (StopIteration, StopAsyncIteration)


def _can_be_both(kind: type[BaseException]) -> bool:
    # those that are no Exceptions, such as KeyboardInterrupt and SystemExit, are commands
    return (
        issubclass(kind, Exception)
        and not issubclass(kind, _NOT_HERE)
        and not issubclass(RemoteError, kind)
    )


@lru_cache(maxsize=256)
def _both(kind: type[Exception]) -> type[RemoteError]:
    if issubclass(kind, RemoteError):
        return kind  # an engine that is a client itself passed it on
    namespace = {
        "__module__": RemoteError.__module__,
        "__doc__": f"A `RemoteError` that is a `{kind.__name__}`.",
        "__reduce__": _reduce_both,
        "__reduce_ex__": _reduce_both,
        "_kind": kind,
    }
    return type("RemoteError", (RemoteError, kind), namespace)


def _reduce_both(error: Any, protocol: int = 0) -> tuple[Any, ...]:
    kind = error._kind if _is_importable(error._kind) else None
    known = error.original if kind is not None else None
    return _restored, (error.ename, error.evalue, error.traceback, error.engine_info, kind, known)


def _restored(
    ename: str, evalue: str, traceback: str, engine_info: EngineInfo, kind: Any, original: Any
) -> RemoteError:
    return remote_error(ename, evalue, traceback, engine_info, kind=kind, original=original)


def _is_importable(kind: type) -> bool:
    found: Any = sys.modules.get(kind.__module__)
    for name in kind.__qualname__.split("."):
        found = getattr(found, name, None)
    return found is kind


#: Attributes that every exception has, and that are its place in *this* process.
_LOCAL = frozenset(("args", "__dict__", "__cause__", "__context__", "__traceback__"))


def _copy_state(original: BaseException, error: BaseException) -> None:
    """Give `error` the attributes of `original`, those kept in C included (``errno``, ``name``)."""
    for base in type(original).__mro__:
        if base is BaseException:
            break
        for name, attribute in vars(base).items():
            is_slot = isinstance(attribute, (MemberDescriptorType, GetSetDescriptorType))
            if is_slot and name not in _LOCAL:
                try:
                    setattr(error, name, getattr(original, name))
                except (AttributeError, TypeError):
                    continue  # has no value, or cannot be set
    state = dict(vars(original))
    for note in state.pop("__notes__", ()):
        error.add_note(note)
    vars(error).update(state)


# ---- several


class CompositeError(RemoteError, ExceptionGroup[Exception]):
    """Several failures, told as one: an `ExceptionGroup` of remote errors.

    Parameters
    ----------
    message : str
        What was being done.
    elist : list of (ename, evalue, traceback, engine_info), or of exceptions
        The failures; at least one.

    Attributes
    ----------
    exceptions : tuple of Exception
        The failures: each a `RemoteError`, or what happened to its engine.
    elist : list of (ename, evalue, traceback, engine_info)
        The same.
    """

    #: How many tracebacks are shown before the rest is only counted.
    tb_limit = 4

    def __new__(cls, message: str, elist: Iterable[Failure | Exception]) -> Self:
        """Make the group."""
        exceptions = [_as_exception(failure) for failure in elist]
        _number(exceptions)
        return super().__new__(cls, message, exceptions)

    def __init__(self, message: str, elist: Iterable[Failure | Exception]) -> None:
        self.msg = message
        super().__init__("CompositeError", message, "", {})
        self.args = (message, list(self.exceptions))

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.msg, list(self.exceptions))

    def derive(self, excs: Sequence[Exception]) -> CompositeError:  # type: ignore[override]
        """A group like this of other failures; ``except*`` makes these."""
        # not of copies: Python tells by their identity which of them were not handled
        group = super().__new__(CompositeError, self.msg, excs)
        CompositeError.__init__(group, self.msg, excs)
        _number(excs)
        return group

    @property
    def message(self) -> str:
        """The text, as `str` gives it."""
        return str(self)

    @property
    def elist(self) -> list[Failure]:
        """See the class."""
        return [_as_failure(exception) for exception in self.exceptions]

    def __repr__(self) -> str:
        return f"CompositeError({len(self.exceptions)})"

    def __str__(self) -> str:
        lines = [self.msg]
        for ename, evalue, _, info in self.elist[: self.tb_limit]:
            lines.append(f"{_origin(info)}{' ' if not info else ''}{ename}: {evalue}")
        if hidden := self._hidden():
            lines.append(f".... {hidden} more exceptions ...")
        return "\n".join(lines)

    def _hidden(self) -> int:
        return max(0, len(self.exceptions) - self.tb_limit)

    def _one(self, excid: int) -> RemoteError:
        """The failure of that index, on its own."""
        try:
            exception = self.exceptions[excid]
        except IndexError:
            n = len(self.exceptions)
            raise IndexError(f"no exception {excid}: there are {n} (0 to {n - 1})") from None
        return _as_remote(exception)

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
            return _headed(self._one(excid))
        lines = []
        for excid in range(min(len(self.exceptions), self.tb_limit)):
            lines += [*_headed(self._one(excid)), ""]
        if hidden := self._hidden():
            lines.append(f"... {hidden} more exceptions ...")
        return [*lines, *self._notes]

    def print_traceback(self, excid: int | None = None) -> None:
        """Print one traceback, or the first `tb_limit` of them."""
        print("\n".join(self.render_traceback(excid)))  # noqa: T201

    def raise_exception(self, excid: int = 0) -> None:
        """Raise one of the failures as a `RemoteError` of its own type.

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
        raise self._one(excid) from None


def _as_exception(failure: Failure | Exception) -> Exception:
    """What a group holds: of remote errors copies, since how one is shown depends on its place."""
    if isinstance(failure, RemoteError):
        return _copied(failure) if failure.traceback else failure
    if isinstance(failure, Exception):
        return failure
    ename, evalue, traceback, info = failure
    return remote_error(ename, evalue, traceback, info, kind=known_type(ename))


def _copied(error: RemoteError) -> RemoteError:
    copy = _as_remote(error)
    _copy_state(error, copy)
    for name in ("args", "__cause__", "__context__", "__suppress_context__", "__traceback__"):
        setattr(copy, name, getattr(error, name))
    return copy


def _as_remote(exception: Exception) -> RemoteError:
    """A new error that tells of the same failure."""
    ename, evalue, traceback, info = _as_failure(exception)
    return remote_error(
        ename,
        evalue,
        traceback,
        info,
        kind=getattr(exception, "_kind", type(exception)),
        original=getattr(exception, "original", exception),
    )


def _number(exceptions: Sequence[Exception]) -> None:
    for place, exception in enumerate(exceptions):
        if isinstance(exception, RemoteError):
            exception._place = place


def _as_failure(exception: Exception) -> Failure:
    if isinstance(exception, RemoteError):
        return exception.ename, exception.evalue, exception.traceback, exception.engine_info
    # such as TaskAborted and EngineError: no engine sent a traceback
    return type(exception).__name__, str(exception), str(exception), {}


def _headed(error: RemoteError) -> list[str]:
    first, *rest = error.render_traceback()
    return [f"{first}:", *rest]


class AlreadyDisplayedError(RemoteError):
    """Stands for errors whose tracebacks the user has already been shown."""

    def __init__(self, original_error: RemoteError) -> None:
        self.original_error = original_error
        self.n = len(getattr(original_error, "elist", "1"))
        super().__init__("AlreadyDisplayedError", str(self), "", {})
        self.args = (original_error,)

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.original_error,)

    def __repr__(self) -> str:
        return f"<AlreadyDisplayedError({self})>"

    def __str__(self) -> str:
        return f"{self.n} errors"

    def render_traceback(self) -> list[str]:
        """One line: the tracebacks were shown before."""
        return [str(self)]


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
    error = compose_exceptions(results.values() if isinstance(results, dict) else results, method)
    if error is not None:
        raise error
    return results


def compose_exceptions(results: Iterable[Any], method: str) -> CompositeError | None:
    """The one exception that stands for all those among the results; None if there are none.

    Those of this package count; others are values that a task returned.
    """
    failures: list[Exception] = []
    for result in results:
        if isinstance(result, CompositeError):
            failures += result.exceptions
        elif isinstance(result, IPythonError):
            failures.append(result)
    if not failures:
        return None
    return CompositeError(f"one or more exceptions raised in: {method}", failures)


def _origin(info: EngineInfo) -> str:
    if not info:
        return "[Engine Exception]"
    return f"[{info.get('engine_id', '?')}:{info.get('method', '?')}]"
