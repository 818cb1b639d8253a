"""Coroutine methods and their blocking twins: ``await c.stop()`` and ``c.stop_sync()``."""

from __future__ import annotations

import asyncio
import contextvars
import functools
import inspect
from collections.abc import Awaitable, Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Concatenate, ParamSpec, TypeVar, cast

S = TypeVar("S")
P = ParamSpec("P")
T = TypeVar("T")


def run_blocking(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine to its end, from wherever the caller is.

    Where no event loop runs in this thread, it runs here in a loop of its own; where one does
    (a notebook), in a short-lived thread, while this one waits. Nothing may therefore be kept
    from one call to the next that belongs to a loop.
    """
    if _loop_runs_here():
        return _run_in_thread(coroutine)
    return _run(coroutine, asyncio.new_event_loop())


def _loop_runs_here() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


def _run(coroutine: Coroutine[Any, Any, T], loop: asyncio.AbstractEventLoop) -> T:
    # a Runner that is given its loop leaves the thread's "current" loop alone
    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        return runner.run(coroutine)


def _run_in_thread(coroutine: Coroutine[Any, Any, T]) -> T:
    loop = asyncio.new_event_loop()
    # the context goes along, so that output still appears under the right cell
    context = contextvars.copy_context()
    with ThreadPoolExecutor(1, thread_name_prefix="ipyparallel-blocking") as pool:
        outcome = pool.submit(context.run, _run, coroutine, loop)
        try:
            return outcome.result()
        except KeyboardInterrupt:
            if not outcome.done():
                loop.call_soon_threadsafe(_cancel_all, loop)
            raise


def _cancel_all(loop: asyncio.AbstractEventLoop) -> None:
    for task in asyncio.all_tasks(loop):
        task.cancel()


async def _wait_for(awaitable: Awaitable[T]) -> T:
    return await awaitable


def blocking(
    method: Callable[Concatenate[S, P], Coroutine[Any, Any, T]],
) -> Callable[Concatenate[S, P], T]:
    """Make the blocking twin of a coroutine method.

    The twin calls the method by its name, so that it obeys what a subclass overrides.
    """
    name = method.__name__

    @functools.wraps(method)
    def twin(self: S, *args: P.args, **kwargs: P.kwargs) -> T:
        result: Any = getattr(self, name)(*args, **kwargs)
        if inspect.isawaitable(result):
            result = run_blocking(_wait_for(result))
        # a subclass may have made it an ordinary method
        return cast(T, result)

    twin.__name__ = f"{name}_sync"
    twin.__qualname__ = f"{method.__qualname__}_sync"
    return cast("Callable[Concatenate[S, P], T]", twin)


class AsyncFirst:
    """Mixin: every public coroutine method ``m`` has a blocking twin ``m_sync``.

    A class may write its twins out (``stop_sync = blocking(stop)``), for those who read and for
    type checkers; the others are added when the class is made. Ordinary methods have no twin.
    """

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        for name, method in list(vars(cls).items()):
            twin = f"{name}_sync"
            if (
                inspect.iscoroutinefunction(method)
                and not name.startswith("_")
                and twin not in vars(cls)
            ):
                setattr(cls, twin, blocking(method))
