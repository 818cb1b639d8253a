"""One after the other: what has ended, as soon as it has, for ``for`` and for ``async for``."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Generator, Iterable, Iterator, Sequence
from concurrent import futures
from concurrent.futures import Future
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Protocol

from ..display.waiting import GRACE, announced, missing_output
from ..messaging.serving import host_of
from ..waiting import time_left

if TYPE_CHECKING:
    from ..messaging.tasks import MessageFuture
    from .result import AsyncResult


class InTurn(Protocol):
    """Futures, each yielded when it is done."""

    def __iter__(self) -> Iterator[Any]: ...
    def __aiter__(self) -> AsyncIterator[Any]: ...


def call_when_done(future: Future[Any], call: Callable[[Future[Any]], None]) -> None:
    """Have the running event loop call this with the future when it is done."""
    loop = asyncio.get_running_loop()

    def tell(future: Future[Any]) -> None:
        with suppress(RuntimeError):  # the loop was closed: nobody waits any more
            loop.call_soon_threadsafe(call, future)

    future.add_done_callback(tell)
    if (host := host_of(future)) is not None:
        host.serve_while_awaited(future)


async def ended(future: Future[Any]) -> None:
    """Return when the future is done. If this is cancelled, the future is not."""
    event = asyncio.Event()
    call_when_done(future, lambda _: event.set())
    await event.wait()


class InOrder:
    """Futures in the order given, each when it is done."""

    def __init__(self, pending: Sequence[Future[Any]]) -> None:
        self._futures = pending

    def __iter__(self) -> Iterator[Any]:
        for future in self._futures:
            futures.wait((future,))
            yield future

    async def __aiter__(self) -> AsyncIterator[Any]:
        for future in self._futures:
            await ended(future)
            yield future


class EndedTasks:
    """Futures in the order in which they are done.

    Parameters
    ----------
    pending : sequence of Future
    timeout : float, optional
        Seconds from the beginning of the iteration.

    Raises
    ------
    TimeoutError
        By the iteration, when not all are done by then.
    """

    def __init__(self, pending: Sequence[Future[Any]], timeout: float | None = None) -> None:
        self._futures = pending
        self._timeout = timeout

    def __iter__(self) -> Iterator[Any]:
        return futures.as_completed(self._futures, self._timeout)

    async def __aiter__(self) -> AsyncIterator[Any]:
        done: asyncio.Queue[Future[Any]] = asyncio.Queue()
        different = set(self._futures)
        for future in different:
            call_when_done(future, done.put_nowait)
        deadline = None if self._timeout is None else time.monotonic() + self._timeout
        for _ in different:
            yield await asyncio.wait_for(done.get(), time_left(deadline))


def as_completed(
    results: AsyncResult | Iterable[Future[Any]], timeout: float | None = None
) -> EndedTasks:
    """Results in the order in which they end, for ``for`` and for ``async for``.

    Parameters
    ----------
    results : iterable of AsyncResult, or AsyncResult
        Other futures of `concurrent.futures` may be among them. Of one result, its parts: see
        `AsyncResult.split`.
    timeout : float, optional
        Seconds from the beginning of the iteration to its end.

    Returns
    -------
    iterable of AsyncResult
        The objects that were given, each as soon as it is done, whether it failed or not.

    Raises
    ------
    TimeoutError
        By the iteration: not all are done in time.
    TypeError
        What was given are not results.

    Examples
    --------
    >>> for ar in ipp.as_completed([view.apply_async(f, x) for x in data]):
    ...     print(ar.get())
    """
    if isinstance(results, Future):
        results = results.split()
    pending = list(results)
    for result in pending:
        if not isinstance(result, Future):
            raise TypeError(f"as_completed takes AsyncResults, not {result!r}")
    return EndedTasks(pending, timeout)


class InTurnResult(Future[Any]):
    """The part of `AsyncResult` that yields items, and that is awaited."""

    _children: list[MessageFuture]
    _single: bool
    _return_exceptions: bool

    def _cancel(self, wait: bool) -> Any:
        """Cancel the tasks."""
        raise NotImplementedError

    def _in_turn(self) -> InTurn:
        """The tasks in the order in which their items are to be yielded, each when it ended."""
        return InOrder(self._children)

    def _items(self, child: MessageFuture) -> Iterator[Any]:
        """The items that a task that has ended stands for; raises what failed."""
        raise NotImplementedError

    def __iter__(self) -> Iterator[Any]:
        self._check_iterable()
        return self._iterate()

    def _iterate(self) -> Iterator[Any]:
        for child in self._in_turn():
            yield from self._items(child)

    def __aiter__(self) -> AsyncIterator[Any]:
        self._check_iterable()
        return self._aiterate()

    async def _aiterate(self) -> AsyncIterator[Any]:
        async for child in self._in_turn():
            for item in self._items(child):
                yield item

    def _check_iterable(self) -> None:
        if self._single:
            raise TypeError("AsyncResults with a single result are not iterable.")

    def __await__(self) -> Generator[Any, None, Any]:
        return self._awaited().__await__()

    async def _awaited(self) -> Any:
        try:
            await ended(self)
        except asyncio.CancelledError:
            self._cancel(wait=False)
            raise
        for outputs in missing_output(announced(self._children)):
            with suppress(TimeoutError):
                async with asyncio.timeout(GRACE):
                    for output in outputs:
                        await ended(output)
        return self.result()
