"""The result of a map whose tasks are submitted little by little, sized by how long they take."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any

from ...error import TaskAborted
from ...protocol.session import parse_date
from ..messaging.resolving import resolve
from ..messaging.serving import new_condition
from ..messaging.tasks import MessageFuture
from ..partition import Block
from ..results import AsyncMapResult, Cancellation
from ..results.iteration import InTurn, ended
from .chunks import ChunkSizes
from .feeding import Feeder, abort_unwanted, seconds_on_engine

if TYPE_CHECKING:
    from .balanced import LoadBalancedView

#: Most tasks for each engine that are submitted and have not ended.
AHEAD = 3

#: Into about how many tasks for each engine the rest is cut when it is submitted at once.
RUSH = 16


class GrowingMapResult(AsyncMapResult):
    """The result of a map with ``chunksize='auto'``.

    It has its full length from the beginning. Its tasks (`msg_ids`, `metadata`, `split`, a
    dependency on it) are all there only when all are submitted: asking for them has the rest
    submitted at once, in sizes of which less is known.

    Parameters
    ----------
    view : LoadBalancedView
        Its flags are not changed any more.
    submit : callable
        Submits a call with the inputs from one index to another.
    length : int
        How many there are.
    name : str
        Of what is called.
    ordered, return_exceptions : bool
        See `AsyncMapResult`.
    """

    def __init__(
        self,
        view: LoadBalancedView,
        submit: Callable[[int, int], MessageFuture],
        length: int,
        name: str,
        *,
        ordered: bool,
        return_exceptions: bool,
    ) -> None:
        self._view = view
        self._submit = submit
        self._length = length
        self._next = 0
        self._law = ChunkSizes()
        self._in_flight = 0
        self._rushes = False
        self._failure_to_submit: BaseException | None = None
        self._grown = new_condition(view.client._messenger.host)
        self._is_complete = False  # all that will ever be submitted is
        self._tasks: list[MessageFuture] = []
        self._task_sizes: list[int] = []
        self._ended: list[MessageFuture] = []
        #: What is to end before this does: the tasks of which the base class knows, the
        #: submission, and each task that comes after.
        self._unfinished = 2
        self._feeder = Feeder(self._submit_next, self._has_room, self._submission_ended)
        self._is_growing = False
        # in this thread: what cannot be sent at all is told by the call itself
        try:
            for _ in range(min(length, self._workers())):
                self._add(1)
        except BaseException:
            self._abort_pending()
            raise
        super().__init__(
            view.client,
            self._tasks,
            Block(),
            name,
            ordered=ordered,
            return_exceptions=return_exceptions,
            chunk_sizes=self._task_sizes,
        )
        self._is_growing = True
        self._feeder.start()

    def _workers(self) -> int:
        return max(1, len(self._view))

    # ---- what the base class has as a list

    @property
    def _children(self) -> list[MessageFuture]:
        if self._is_growing and not self._is_complete:
            self._rushes = True
            self._feeder.look()
            with self._grown:
                self._grown.wait_for(lambda: self._is_complete)
        return self._tasks

    @_children.setter
    def _children(self, tasks: list[MessageFuture]) -> None:
        pass  # those of the constructor, which are in the list already

    # ---- submission, in the feeder's thread

    def _has_room(self) -> bool:
        return self._rushes or self._in_flight < AHEAD * self._workers()

    def _submit_next(self) -> bool:
        remaining = self._length - self._next
        if not remaining:
            return False
        workers = self._workers()
        size = self._law.next(workers, remaining)
        if self._rushes:
            size = max(size, remaining // (RUSH * workers))
        task = self._add(size)
        with self._grown:
            self._unfinished += 1
        task.add_done_callback(_Part(self))
        return True

    def _add(self, size: int) -> MessageFuture:
        task = self._submit(self._next, self._next + size)
        with self._grown:
            self._next += size
            self._in_flight += 1
            self._task_sizes.append(size)
            self._tasks.append(task)
            self._grown.notify_all()
        task.add_done_callback(_Observer(self, size))
        return task

    def _submission_ended(self, failure: BaseException | None) -> None:
        left = self._length - self._next
        if failure is not None:
            self._failure_to_submit = failure
            self._abort_pending()
        elif left:  # it was stopped, and who did that sees to the tasks
            self._failure_to_submit = TaskAborted(
                f"aborted before the last {left} items were submitted"
            )
        with self._grown:
            self._is_complete = True
            self._grown.notify_all()
        self._complete()

    def _abort_pending(self) -> None:
        abort_unwanted(self._view, [task.msg_id for task in self._tasks if not task.done()])

    # ---- the end, in the thread that reads replies

    def _observe(self, task: MessageFuture, size: int) -> None:
        seconds = seconds_on_engine(task)
        with self._grown:
            if seconds is not None:
                self._law.observe(seconds, size)
            self._in_flight -= 1
            self._ended.append(task)
            self._grown.notify_all()
        self._feeder.look()

    def _complete(self) -> None:
        with self._grown:
            self._unfinished -= 1
            if self._unfinished:
                return
        if self._failure_to_submit is None or any(task.cancelled() for task in self._tasks):
            super()._complete()
        else:
            resolve(self, error=self._failure_to_submit)

    # ---- what is known without having all tasks

    def __len__(self) -> int:
        return self._length

    @property
    def progress(self) -> int:
        """How many items are there so far."""
        with self._grown:
            sizes = zip(self._task_sizes, self._tasks, strict=True)
            return sum(size for size, task in sizes if task.done())

    @property
    def elapsed(self) -> float:
        """Seconds since the first task was submitted; when all have ended, `wall_time`."""
        if self.done():
            return self.wall_time
        return time.time() - parse_date(self._tasks[0].header.date).timestamp()

    def _in_turn(self) -> InTurn:
        return _GrowingInTurn(self)

    # ---- not running

    def abort(self) -> Cancellation:
        """Have the tasks end, and submit no more; see `AsyncResult`."""
        self._feeder.stop()
        return super().abort()

    def _cancel(self, wait: bool) -> Cancellation:
        self._feeder.stop()
        return super()._cancel(wait)


class _GrowingInTurn:
    """The tasks as they come: in the order of the input when each has ended, or as they end."""

    def __init__(self, result: GrowingMapResult) -> None:
        self._result = result
        self._line = result._tasks if result._ordered else result._ended

    def _comes(self, number: int) -> bool:
        """Wait for the task of that number to come; whether there is one."""
        result = self._result
        with result._grown:
            result._grown.wait_for(
                lambda: (
                    number < len(self._line)
                    or (result._is_complete and number == len(result._tasks))
                )
            )
            return number < len(self._line)

    def _check_end(self) -> None:
        if self._result._failure_to_submit is not None:
            raise self._result._failure_to_submit

    def __iter__(self) -> Iterator[MessageFuture]:
        number = 0
        while self._comes(number):
            task = self._line[number]
            task.wait()
            yield task
            number += 1
        self._check_end()

    async def __aiter__(self) -> AsyncIterator[MessageFuture]:
        number = 0
        while number < len(self._line) or await asyncio.to_thread(self._comes, number):
            task = self._line[number]
            await ended(task)
            yield task
            number += 1
        self._check_end()


class _ForResult:
    """Tells a result of the end of a task, and lets go of it: they would refer to each other."""

    __slots__ = ("_result",)

    def __init__(self, result: GrowingMapResult) -> None:
        self._result: GrowingMapResult | None = result

    def __call__(self, task: Future[Any]) -> None:
        result, self._result = self._result, None
        assert result is not None
        assert isinstance(task, MessageFuture)
        self._tell(result, task)

    def _tell(self, result: GrowingMapResult, task: MessageFuture) -> None:
        raise NotImplementedError


class _Part(_ForResult):
    """One of those that must end before the result does."""

    __slots__ = ()

    def _tell(self, result: GrowingMapResult, task: MessageFuture) -> None:
        result._complete()


class _Observer(_ForResult):
    """Has the result learn how long so many items took."""

    __slots__ = ("_size",)

    def __init__(self, result: GrowingMapResult, size: int) -> None:
        super().__init__(result)
        self._size = size

    def _tell(self, result: GrowingMapResult, task: MessageFuture) -> None:
        result._observe(task, self._size)
