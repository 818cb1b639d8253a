"""A view as an executor of `concurrent.futures`."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor
from concurrent.futures import wait as wait_for_futures
from typing import TYPE_CHECKING, Any

from ..results import AsyncResult, cancel_together
from ..waiting import deadline_after, time_left
from .lazy_iterator import LazyMapIterator
from .lazy_map import LazyMap
from .map_options import check_chunksize

if TYPE_CHECKING:
    from .base import View


class ViewExecutor(Executor):
    """Runs calls on the engines of a view, for what takes executors: libraries, asyncio.

    Parameters
    ----------
    view : View
        A load balanced one runs each call on one engine; a direct one on each of its engines, so
        that the result is a list.

    Attributes
    ----------
    view : View
        Its flags count for the calls. `shutdown` leaves it, and the engines, as they are.
    """

    def __init__(self, view: View) -> None:
        self.view = view
        #: How many engines there were; some libraries ask for this.
        self._max_workers = len(view)
        self._lock = threading.Lock()
        self._is_shut_down = False
        self._pending: set[AsyncResult] = set()
        #: Each lives as long as it has something to submit, or to wait for.
        self._maps: weakref.WeakSet[LazyMap] = weakref.WeakSet()

    def __repr__(self) -> str:
        state = ": shut down" if self._is_shut_down else ""
        return f"<{type(self).__name__} on {self.view!r}{state}>"

    @property
    def is_shut_down(self) -> bool:
        """Whether it takes no more calls."""
        return self._is_shut_down

    def _check_open(self) -> None:
        if self._is_shut_down:
            raise RuntimeError("cannot schedule new futures after shutdown")

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> AsyncResult:
        """Call a function; see `View.apply_async`.

        Returns
        -------
        AsyncResult
            A future.

        Raises
        ------
        RuntimeError
            This was shut down.
        """
        with self._lock:
            self._check_open()
            future = self.view.apply_async(fn, *args, **kwargs)
            self._pending.add(future)
        future.add_done_callback(self._pending.discard)
        return future

    def map(
        self,
        fn: Callable[..., Any],
        *iterables: Iterable[Any],
        timeout: float | None = None,
        chunksize: int | str = 1,
        buffersize: int | None = None,
    ) -> Iterator[Any]:
        """Call a function with the elements of the iterables, and iterate over the results.

        Over a load balanced view, elements are taken as there is room, and not all at once, as by
        the executors of the standard library: see `LoadBalancedView.imap`. `shutdown`, which the
        end of a ``with`` block is, takes the rest of them.

        Parameters
        ----------
        fn : callable
        *iterables : iterables
            As far as the shortest goes. What one of them raises is raised after the results of
            what came before.
        timeout : float, optional
            Seconds from this call within which all results must have been taken.
        chunksize : int or 'auto'
            Elements in one task, over a load balanced view.
        buffersize : int, optional
            Most tasks that are submitted and whose results were not taken; by default as many as
            keep the engines busy.

        Raises
        ------
        RuntimeError
            This was shut down.
        TimeoutError
            By the iteration: a result is not there in time.
        """
        if buffersize is not None:
            if not isinstance(buffersize, int) or isinstance(buffersize, bool):
                raise TypeError(f"buffersize must be an int or None, not {buffersize!r}")
            if buffersize < 1:
                raise ValueError(f"buffersize must be at least 1, or None, not {buffersize!r}")
        chunksize = check_chunksize(chunksize)
        deadline = deadline_after(None if timeout is None else max(0.0, timeout))
        with self._lock:
            self._check_open()
            if not iterables:
                return iter(())
            if self.view._is_balanced:
                options = {"chunksize": chunksize, "max_outstanding": buffersize}
                lazy = self.view.imap(fn, *iterables, **options)
                assert isinstance(lazy, LazyMapIterator)
                self._maps.add(lazy.map)
                return _Results(lazy, deadline)
            result = self.view.map_async(fn, *iterables)
            if not isinstance(result, list):  # it is one for no input
                self._pending.add(result)
        if isinstance(result, list):
            return iter(result)
        result.add_done_callback(self._pending.discard)
        return _of_parts(result, deadline)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Take no more calls. The engines go on.

        Parameters
        ----------
        wait : bool
            Whether to wait until all calls have ended, those of all inputs of `map` included.
        cancel_futures : bool
            Whether to cancel what has not begun; calls that run end as they would. Iterating over
            the results of `map` ends with a CancelledError then.
        """
        with self._lock:
            self._is_shut_down = True
            pending = list(self._pending)
            maps = list(self._maps)
        if cancel_futures:
            tasks = [task for lazy_map in maps for task in lazy_map.call_off()]
            cancel_together(pending, tasks, interrupt=False)
        else:
            for lazy_map in maps:
                lazy_map.lift()
        if wait:
            for lazy_map in maps:
                lazy_map.wait_for_all()
            wait_for_futures(pending)


class _Results(Iterator[Any]):
    """The results of a lazy map, as the standard library's executors give them away.

    An error is the end, and cancels the rest, and so does losing this in the middle. Losing it
    before anything was taken does not: the calls are made for what they do.
    """

    def __init__(self, lazy: LazyMapIterator, deadline: float | None) -> None:
        self._lazy = lazy
        self._deadline = deadline
        self._has_begun = False

    def __next__(self) -> Any:
        self._has_begun = True
        try:
            return self._lazy.next(time_left(self._deadline))
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Cancel what has not ended."""
        self._has_begun = True
        self._lazy.cancel()

    def __del__(self) -> None:
        if not self._has_begun:
            self._lazy.run_out()


def _of_parts(result: AsyncResult, deadline: float | None) -> Iterator[Any]:
    """The items of a map over a direct view, in the order of the input."""
    for child in result._children:
        if not child.wait(time_left(deadline)):
            raise TimeoutError("Result not ready.")
        yield from result._items(child)
