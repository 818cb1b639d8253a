"""Imports that are made here and on the engines at once.

Python looks ``builtins.__import__`` up for each import statement. While a forwarder is active, it
is our hook that is found there, which passes everything on, and tells each forwarder what the code
in *its* ``with`` block has imported: that code runs in the frame that entered the block, so other
functions, modules that are being imported, and other threads are not looked at.
"""

from __future__ import annotations

import builtins
import sys
import threading
from types import FrameType, TracebackType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ..results import AsyncResult
    from .direct import DirectView


class ImportForwarder:
    """A context within which imports are made here and on the engines of a view.

    Parameters
    ----------
    view : DirectView
    quiet : bool
        Whether not to print what is imported.
    """

    def __init__(self, view: DirectView, quiet: bool) -> None:
        self._view = view
        self._quiet = quiet
        self._frame: FrameType | None = None
        self._sent: dict[str, AsyncResult] = {}

    def __enter__(self) -> None:
        if self._frame is not None:
            raise RuntimeError("this with block is being run already; make another importer")
        self._frame = sys._getframe(1)
        _watch(self._frame, self)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        frame, self._frame = self._frame, None
        sent, self._sent = self._sent, {}
        if frame is not None:
            _unwatch(frame, self)
        if kind is None:
            for result in sent.values():
                result.get()

    def imported(self, name: str, names: tuple[str, ...]) -> None:
        """The block has imported a module, or some names from it; once is enough."""
        if names:
            statement = f"from {name} import {', '.join(names)}"
            told = f"importing {','.join(names)} from {name} on engine(s)"
        else:
            statement = f"import {name}"
            told = f"importing {name} on engine(s)"
        if statement in self._sent:
            return
        if not self._quiet:
            print(told)  # noqa: T201
        self._sent[statement] = self._view.execute(statement, block=False)


#: Who is told what which frame imports.
_forwarders: dict[FrameType, list[ImportForwarder]] = {}
_lock = threading.Lock()

#: Our hook, and what was there before it.
_installed: tuple[Any, Any] | None = None


def _watch(frame: FrameType, forwarder: ImportForwarder) -> None:
    """Tell the forwarder what this frame imports from now on."""
    global _installed
    with _lock:
        _forwarders.setdefault(frame, []).append(forwarder)
        if _installed is None:
            _installed = _make_hook(builtins.__import__), builtins.__import__
            builtins.__import__ = _installed[0]


def _unwatch(frame: FrameType, forwarder: ImportForwarder) -> None:
    """Tell it nothing any more. The last one takes the hook away."""
    global _installed
    with _lock:
        _forwarders[frame].remove(forwarder)
        if not _forwarders[frame]:
            del _forwarders[frame]
        if not _forwarders and _installed is not None:
            hook, original = _installed
            _installed = None
            # what somebody else has put over ours meanwhile stays; ours does no harm below it
            if builtins.__import__ is hook:
                builtins.__import__ = original


def _make_hook(original: Any) -> Any:
    def view_import(
        name: str, globals: Any = None, locals: Any = None, fromlist: Any = (), level: int = 0
    ) -> Any:
        module = original(name, globals, locals, fromlist, level)
        forwarders = _forwarders.get(sys._getframe(1))
        if forwarders and level == 0 and all(map(str.isidentifier, name.split("."))):
            for forwarder in list(forwarders):
                forwarder.imported(name, tuple(fromlist or ()))
        return module

    return view_import
