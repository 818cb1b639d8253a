"""Which request the running code belongs to: what it prints and shows is that request's output.

The main thread runs one request after the other. What a request leaves running, though, goes on
meanwhile: asyncio tasks, which inherit its context; threads, which do not; work that it hands to a
pool of threads, which others may have started. All of it stays the output of that request, also
when that has been answered long ago. Code that nobody can place belongs to the latest request.
"""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import ContextVar, Token
from typing import Any

Message = Mapping[str, Any]


class Origin:
    """A request, as the source of output.

    Parameters
    ----------
    message : dict
        As Jupyter's machinery takes it; only its header is kept.
    """

    __slots__ = ("header", "written")

    def __init__(self, message: Message) -> None:
        header = message.get("header", message)
        self.header: dict[str, Any] = dict(header)
        #: Bytes of output so far, by kind: a stream's name, or ``display``.
        self.written: dict[str, int] = {}

    @property
    def message(self) -> dict[str, Any]:
        """The request, or what is kept of it."""
        return {"header": self.header}


_NONE = Origin({})

_here: ContextVar[Origin | None] = ContextVar("origin", default=None)
_latest = _NONE


def current() -> Origin:
    """The request that the code which asks belongs to."""
    origin = _here.get()
    if origin is None:
        # set when the thread was started
        origin = getattr(threading.current_thread(), "_ipyparallel_origin", None)
    return _latest if origin is None else origin


def begin(message: Message) -> None:
    """This request runs from now on, here."""
    global _latest
    origin = current()
    if message.get("header", message) != origin.header:
        origin = Origin(message)
    _latest = origin
    _here.set(origin)


@contextmanager
def set_aside() -> Iterator[None]:
    """Within this context another request runs; after it, the present one goes on.

    For code that belongs to it without saying so; the rest is in the context of each.
    """
    global _latest
    latest = _latest
    try:
        yield
    finally:
        _latest = latest


class Follower:
    """Publishes as part of the request that the running code belongs to.

    A mixin for IPython's publishers, each of which would keep that by itself. What their users
    set explicitly, for the running thread, holds.
    """

    @property
    def parent_header(self) -> dict[str, Any]:
        """Header of the request."""
        return current().header

    def set_parent(self, parent: Message) -> None:
        """Belong to this request from now on, in this thread."""
        if parent.get("header", parent) != current().header:
            _here.set(Origin(parent))

    def set_thread_parent(self, parent: Message) -> Token[Origin | None]:
        """The same; the result is for `reset_thread_parent`."""
        return _here.set(Origin(parent))

    def reset_thread_parent(self, token: Token[Origin | None]) -> None:
        """Belong to what was before."""
        _here.reset(token)


def _run_in(origin: Origin, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    token = _here.set(origin)
    try:
        return function(*args, **kwargs)
    finally:
        _here.reset(token)


def follow_threads() -> None:
    """From now on threads, and work handed to pools of threads, belong to who starts them.

    In this process only, and for good.
    """
    start = threading.Thread.start
    submit: Callable[..., Future[Any]] = ThreadPoolExecutor.submit

    @functools.wraps(start)
    def start_here(thread: threading.Thread) -> None:
        thread._ipyparallel_origin = current()  # type: ignore[attr-defined]
        start(thread)

    @functools.wraps(submit)
    def submit_here(
        pool: ThreadPoolExecutor, function: Callable[..., Any], /, *args: Any, **kwargs: Any
    ) -> Future[Any]:
        return submit(pool, _run_in, current(), function, *args, **kwargs)

    threading.Thread.start = start_here  # type: ignore[assignment,method-assign]
    ThreadPoolExecutor.submit = submit_here  # type: ignore[assignment,method-assign]
