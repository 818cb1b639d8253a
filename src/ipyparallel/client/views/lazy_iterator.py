"""What a map that takes its inputs as they are needed gives away: results, one after the other."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import CancelledError
from contextlib import suppress
from types import TracebackType
from typing import Any, Self

from ..messaging.interrupts import InterruptsHeld
from ..messaging.resolving import error_of
from ..waiting import deadline_after, time_left
from .lazy_map import LazyMap


class LazyMapIterator(Iterator[Any], AsyncIterator[Any]):
    """The results of `LoadBalancedView.imap`, one after the other, for ``for`` and ``async for``.

    To be used by one thread at a time. After an error of one call, or Ctrl-C, `next` goes on with
    the results after it. Leaving it as a context, or losing the last reference to it, cancels.

    Attributes
    ----------
    progress : int
        How many results were given so far.
    """

    def __init__(self, lazy_map: LazyMap, return_exceptions: bool = False) -> None:
        self.progress = 0
        self.map = lazy_map
        self._runs_out = False
        self._return_exceptions = return_exceptions
        #: Results of the task that was taken last.
        self._results: deque[Any] = deque()

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {self.progress} results so far>"

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Any:
        return self.next()

    def next(self, timeout: float | None = None) -> Any:
        """The next result.

        Parameters
        ----------
        timeout : float, optional
            Seconds to wait; None or a negative number: for ever.

        Raises
        ------
        TimeoutError
            It is not there in time. It may be asked for again.
        StopIteration
            There is none.
        """
        deadline = deadline_after(timeout)
        while not self._results:
            if not self.map.wait(time_left(deadline)):
                raise TimeoutError("Result not ready.")
            with InterruptsHeld():  # what was taken is not to be lost
                self._take()
        return self._next_result()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Any:
        try:
            while not self._results:
                await self._wait()
                self._take()
        except StopIteration:
            raise StopAsyncIteration from None
        return self._next_result()

    async def _wait(self) -> None:
        loop = asyncio.get_running_loop()
        woken = asyncio.Event()

        def wake() -> None:
            with suppress(RuntimeError):  # the loop was closed: nobody waits any more
                loop.call_soon_threadsafe(woken.set)

        while not self.map.watch(wake):
            await woken.wait()
            woken.clear()

    def _take(self) -> None:
        task = self.map.take()
        if task is None:
            self._end()
        elif (error := error_of(task)) is None:
            result = task.result()
            self._results.extend(result if self.map.in_chunks else (result,))
        elif self._return_exceptions:
            self._results.append(error)
        else:
            raise error

    def _next_result(self) -> Any:
        self.progress += 1
        return self._results.popleft()

    def _end(self) -> None:
        """Raise what the input has raised, once; from then on it is just the end."""
        failure, self.map.failure = self.map.failure, None
        if not self.map.stopped:
            if self.map.is_cut:
                self.map.stop()
                raise CancelledError("the rest of the map was cancelled")
            if failure is not None:
                raise failure
        raise StopIteration

    def run_out(self) -> None:
        """Have all input taken, and all results forgotten; this is not used any more."""
        self._runs_out = True
        self.map.run_out()

    def cancel(self) -> None:
        """Take no more input, and have what was submitted not run; there are no more results."""
        self._results.clear()
        self.map.cancel()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.cancel()

    def __del__(self) -> None:
        if not self._runs_out:
            self.map.stop()
