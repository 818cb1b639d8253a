"""A map that takes its inputs as they are needed, and gives its results away as they come."""

from __future__ import annotations

import math
import threading
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from concurrent.futures import wait as wait_for_futures
from itertools import islice
from typing import TYPE_CHECKING, Any

from ...serialize.calls import MapCall
from ..messaging.tasks import MessageFuture
from .chunks import ChunkSizes
from .feeding import Feeder, Signal, abort_unwanted, seconds_on_engine

if TYPE_CHECKING:
    from .balanced import LoadBalancedView

#: With ``max_outstanding='auto'``, at least and at most so many tasks for each engine...
FEWEST, MOST = 2, 16

#: ... and between that, as many as keep it busy for so many seconds.
AHEAD = 0.05


class LazyMap:
    """The tasks of such a map, between the thread that submits and the one that takes results.

    The iterator refers to this, and this does not refer to the iterator: when the user lets go of
    that, it ends.

    Parameters
    ----------
    view : LoadBalancedView
        Submits; its flags are not changed any more.
    func : callable
    rows : iterator of tuple
        The arguments of each call.
    chunksize : int or 'auto'
        How many calls make a task.
    ordered : bool
        Whether results are taken in the order of the input, or as they come.
    max_outstanding : int, optional
        Most tasks that are submitted and not taken; 0 for any number, None to decide by how long
        they take.
    """

    def __init__(
        self,
        view: LoadBalancedView,
        func: Callable[..., Any],
        rows: Iterator[tuple[Any, ...]],
        chunksize: int | str,
        ordered: bool,
        max_outstanding: int | None,
    ) -> None:
        self._view = view
        self._rows: Iterator[tuple[Any, ...]] | None = rows
        self._chunksize = chunksize
        self._call = func if chunksize == 1 else MapCall(func)
        #: Whether tasks return lists of results.
        self.in_chunks = chunksize != 1
        self._ordered = ordered
        self._sizes = ChunkSizes()
        self._seconds: float | None = None
        self._is_auto = max_outstanding is None
        self._limit: float = math.inf if max_outstanding == 0 else max_outstanding or 0
        if self._is_auto:
            self._set_limit()
        #: Tasks to be taken: all that are submitted in their order, or those that have ended.
        self._line: deque[MessageFuture] = deque()
        self._pending: dict[str, MessageFuture] = {}
        self._awaited: MessageFuture | None = None
        # each is written by one thread only
        self._submitted = 0
        self._taken = 0
        self._forgets = False
        #: Whether nothing more is taken; whether it was called off, and before all was submitted.
        self._ended = False
        self._called_off = False
        self._is_cut = False
        #: Held while a task is submitted; after `stop`, none will be once this is free.
        self._submitting = threading.RLock()
        #: Set when nothing will be submitted any more.
        self.all_submitted = threading.Event()
        #: What the input has raised, or the submission of what it gave.
        self.failure: BaseException | None = None
        self._signal = Signal()
        self._feeder = Feeder(self._submit_next, self._has_room, self._input_ended)

    def start(self) -> None:
        """Begin to submit."""
        self._feeder.start()

    # ---- in the thread that submits

    def _has_room(self) -> bool:
        return self._submitted - self._taken < self._limit

    def _submit_next(self) -> bool:
        size = self._chunksize
        if isinstance(size, str):
            size = self._sizes.next(len(self._view))
        failure = None
        rows = []
        try:
            for row in islice(self._rows, size):  # type: ignore[arg-type]
                rows.append(row)
        except BaseException as e:  # noqa: BLE001  (raised when what came before is submitted)
            failure = e
        if rows:
            with self._submitting:
                if not self._feeder.stopped:
                    self._submit(rows)
        if failure is not None:
            raise failure
        return len(rows) == size

    def _submit(self, rows: list[tuple[Any, ...]]) -> None:
        if isinstance(self._call, MapCall):
            args = tuple(map(list, zip(*rows, strict=True)))
        else:
            (args,) = rows
        task = self._view._submit(self._call, args)
        self._pending[task.msg_id] = task
        self._submitted += 1
        if self._ordered and not self._forgets:
            self._line.append(task)
            if self._awaited is None:
                self._signal.tell()
        if isinstance(self._chunksize, str):
            task.add_done_callback(_Observation(self._sizes, len(rows)))
        task.add_done_callback(self._task_ended)

    def _input_ended(self, failure: BaseException | None) -> None:
        self.failure = failure
        self._rows = None  # a generator is closed here, unless the user holds it
        self.all_submitted.set()
        self._signal.tell()
        # the iterator may be dropped without anybody to cancel the rest
        self._feeder.wait(self._all_taken)
        if self._feeder.stopped and not self._called_off:
            self._abort()

    def _all_taken(self) -> bool:
        return self._forgets or self._taken == self._submitted

    # ---- in the thread that reads replies

    def _task_ended(self, task: Future[Any]) -> None:
        assert isinstance(task, MessageFuture)
        self._pending.pop(task.msg_id, None)
        if not self._ordered and not self._forgets:
            self._line.append(task)
            self._signal.tell()
        elif self._awaited is task:
            self._signal.tell()

    # ---- in the thread that takes results

    def _is_ready(self) -> bool:
        """Whether there is something to take, or the end."""
        if self._ended:
            return True
        try:
            self._awaited = task = self._line[0]
        except IndexError:
            self._awaited = None
            # a task may have come since
            return bool(self._line) or self._is_over()
        return task.done()

    def _is_over(self) -> bool:
        if self._is_cut:
            return not self._pending
        return not self._has_more and self._all_taken()

    def wait(self, timeout: float | None) -> bool:
        """Wait until `take` has something to say; whether it has, after so many seconds."""
        self._view.client._messenger.check_process()
        return self._signal.wait(self._is_ready, timeout)

    def watch(self, wake: Callable[[], None]) -> bool:
        """Whether `take` has something to say; if not, `wake` is called when it may."""
        return self._signal.watch(self._is_ready, wake)

    def take(self) -> MessageFuture | None:
        """The next task, which has ended; None at the end."""
        if self._ended or not self._line:
            return None
        task = self._line.popleft()
        self._taken += 1
        if self._is_auto:
            self._observe(task)
        outstanding = self._submitted - self._taken
        # some room at a time, so that the other thread is not woken for each task
        if not outstanding or (outstanding <= self._limit * 0.75 and self._has_more):
            self._feeder.look()
        return task

    def _observe(self, task: MessageFuture) -> None:
        seconds = seconds_on_engine(task)
        if seconds is not None:
            before = seconds if self._seconds is None else self._seconds
            self._seconds = before + (seconds - before) / 8
            self._set_limit()

    def _set_limit(self) -> None:
        each = FEWEST
        if self._seconds is not None and self._seconds * MOST < AHEAD:
            each = MOST
        elif self._seconds is not None:
            each = max(FEWEST, math.ceil(AHEAD / self._seconds))
        self._limit = each * max(1, len(self._view))

    # ---- in any thread

    @property
    def _has_more(self) -> bool:
        return not self.all_submitted.is_set()

    @property
    def stopped(self) -> bool:
        """Whether it was ended before its end."""
        return self._ended

    @property
    def is_cut(self) -> bool:
        """Whether it was called off before all was submitted."""
        return self._is_cut

    def lift(self) -> None:
        """Submit all there is, whether results are taken or not."""
        self._is_auto = False
        self._limit = math.inf
        self._feeder.look()

    def run_out(self) -> None:
        """Submit all there is, and forget what comes of it. Takes no lock: for finalizers."""
        self._forgets = True
        self.lift()

    def wait_for_all(self) -> None:
        """Wait until nothing more will be submitted, and all that was has ended."""
        if self._feeder.stopped:
            with self._submitting:  # but its thread may wait for input for ever
                pass
        else:
            self.all_submitted.wait()
        wait_for_futures(list(self._pending.values()))

    def stop(self) -> None:
        """End it: nothing more is submitted or taken. Takes no lock: finalizers call this."""
        self._ended = True
        self._feeder.stop()
        self._signal.tell()

    def call_off(self) -> list[MessageFuture]:
        """Submit nothing more; the tasks that have not ended, for the caller to cancel.

        Results are given up to the first that is missing.
        """
        self._called_off = True
        with self._submitting:
            # before its thread is stopped, which then says that nothing more comes
            self._is_cut = self._has_more
            self._feeder.stop()
            pending = list(self._pending.values())
        self._signal.tell()
        return pending

    def cancel(self) -> None:
        """End it, and have what was submitted not run."""
        self.stop()
        self._abort()

    def _abort(self) -> None:
        abort_unwanted(self._view, list(self._pending))


class _Observation:
    """Has the size of tasks follow the time that they take."""

    __slots__ = ("_items", "_sizes")

    def __init__(self, sizes: ChunkSizes, items: int) -> None:
        self._sizes = sizes
        self._items = items

    def __call__(self, task: Future[Any]) -> None:
        assert isinstance(task, MessageFuture)
        seconds = seconds_on_engine(task)
        if seconds is not None:
            self._sizes.observe(seconds, self._items)
