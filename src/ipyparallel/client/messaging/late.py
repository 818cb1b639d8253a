"""Calls whose arguments are results that are still to come: sent when these are there.

Each such call is packed when it is made, as all calls are, with placeholders for the results; what
these turn out to be is added when the last of them is there, in the thread that resolves it.
"""

from __future__ import annotations

import threading
import weakref
from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any

from ...error import ImpossibleDependency, MessageTooLarge, RemoteError
from ...protocol.messages import decode_task_metadata
from ...serialize.apply import add_values
from ...serialize.culprits import find, name_of
from ...serialize.limits import check_size
from ...serialize.pickler import serialize
from .interrupts import InterruptsHeld
from .resolving import error_of

if TYPE_CHECKING:
    from .messenger import Messenger
    from .tasks import MessageFuture


class _Value:
    """The value of a result, pickled once for all calls that wait for it."""

    __slots__ = ("__weakref__", "_frames", "_lock", "result")

    def __init__(self, result: Future[Any]) -> None:
        self.result = result
        self._frames: list[Any] | None = None
        self._lock = threading.Lock()

    def frames(self) -> list[Any]:
        with self._lock:
            if self._frames is None:
                self._frames = serialize(self.result.result())
            return self._frames


class LateCall:
    """A call, packed but for the values of some results.

    Parameters
    ----------
    content : bytes
    buffers : list
        See `pack_call`.
    func : callable
        What is called; for errors.
    values : list of _Value
        In the order of their places.
    """

    __slots__ = ("buffers", "content", "func", "values")

    def __init__(self, content: bytes, buffers: list[Any], func: Any, values: list[_Value]) -> None:
        self.content = content
        self.buffers = buffers
        self.func = func
        self.values = values

    def complete(self, limit: int | None) -> tuple[bytes, list[Any]]:
        """The content and the buffers, now that all values are there.

        Raises
        ------
        TypeError
            A value cannot be pickled.
        MessageTooLarge
            With them it is larger than `limit`; see `check_size`.
        """
        try:
            frames = [value.frames() for value in self.values]
        except BaseException as e:
            if isinstance(e, KeyboardInterrupt):
                raise
            raise self._unpicklable(e) from e  # a user's class raises what it likes
        content, buffers = add_values(self.content, self.buffers, frames)
        check_size(buffers, limit, self.func, "Client.max_message_size")
        return content, buffers

    def _unpicklable(self, error: BaseException) -> TypeError:
        for value in self.values:
            found = find("the result", value.result.result(), serialize)
            if found is not None:
                path, part, error = found
                what = f"{path} (a {type(part).__name__})"
                break
        else:
            what = "a result"
        return TypeError(
            f"cannot pickle {what} that is an argument for {name_of(self.func)}:"
            f" {type(error).__name__}: {error}"
        )

    def failure(self) -> ImpossibleDependency | None:
        """Why it cannot be called, if one of the results has failed."""
        for value in self.values:
            if value.result.done() and (error := error_of(value.result)) is not None:
                return _impossible(name_of(self.func), error)
        return None


def _impossible(name: str, error: BaseException) -> ImpossibleDependency:
    """The error of a call whose argument would have been a result that failed like this."""
    if isinstance(error, ImpossibleDependency) and error.__cause__ is not None:
        error = error.__cause__  # what was wrong in the first place
    # that of a remote error names the type, too
    text = str(error) if isinstance(error, RemoteError) else f"{type(error).__name__}: {error}"
    made = ImpossibleDependency(f"{name} was not called: a result that it needs failed: {text}")
    made.__cause__ = error
    return made


class _Unsent:
    """A call that waits: called with each future that it waits for, as that ends.

    Lets go of everything then: a result that somebody keeps would keep all calls that have waited
    for it, and what these hold.
    """

    __slots__ = ("_calls", "_left", "_lock", "before", "call", "metadata", "task")

    def __init__(
        self,
        calls: LateCalls,
        task: MessageFuture,
        call: LateCall,
        metadata: bytes,
        before: Sequence[MessageFuture],
    ) -> None:
        self._calls: LateCalls | None = calls
        self.task = task
        self.call = call
        self.metadata = metadata
        self.before = before
        self._left = 1
        self._lock = threading.Lock()

    def wait(self) -> None:
        """Begin to wait."""
        futures = {*(value.result for value in self.call.values), *self.before}
        self._left = len(futures)
        for future in futures:
            future.add_done_callback(self)

    def __call__(self, future: Future[Any]) -> None:
        failed = error_of(future) is not None
        with self._lock:
            self._left -= 1
            if self._calls is None or (self._left and not failed):
                return
            if self._left and future in self.before:
                return  # that it failed may be what is wanted: the scheduler knows
            calls, self._calls = self._calls, None
        calls.ready(self)

    def never_begun(self) -> list[BaseException]:
        """What has ended those that had to end before, and that the scheduler never heard of."""
        errors = [error_of(task) for task in self.before if task.never_sent]
        return [error for error in errors if error is not None]

    def clear(self) -> None:
        """Let go of everything."""
        del self.task, self.call, self.metadata, self.before


class LateCalls:
    """The calls of a client that were not sent yet."""

    def __init__(self, messenger: Messenger) -> None:
        self._messenger = messenger
        self._tasks: dict[str, MessageFuture] = {}
        #: Whether one was ever not sent after all.
        self._has_withdrawn = False
        #: Held from the moment a call counts as sent until it is: nobody shall ask the scheduler
        #: for what it does not have yet.
        self._lock = threading.Lock()
        #: By the ids of the results, which they hold.
        self._values: weakref.WeakValueDictionary[int, _Value] = weakref.WeakValueDictionary()
        self._thread = threading.local()

    def needed_by(self, metadata: bytes) -> list[MessageFuture]:
        """The tasks not sent yet, or not at all, that a task depends on, by its metadata.

        The scheduler must hear of them first, and knows nothing of those that were never sent.
        """
        if not self._tasks and not self._has_withdrawn:
            return []
        needs = decode_task_metadata(metadata)
        tasks = []
        for dependency in (needs.after, needs.follow):
            ids = dependency.get("dependencies") if isinstance(dependency, dict) else dependency
            tasks += [task for i in ids or () if (task := self._find(i)) is not None]
        return tasks

    def _find(self, msg_id: str) -> MessageFuture | None:
        task = self._tasks.get(msg_id)
        if task is None and self._has_withdrawn:
            task = self._messenger.tasks.find(msg_id)
            return task if task is not None and task.never_sent else None
        return task

    def call(
        self, content: bytes, buffers: list[Any], func: Any, results: Sequence[Future[Any]]
    ) -> LateCall:
        """A call of `func`; `results` are the results in the order of their places."""
        return LateCall(content, buffers, func, [self._value(result) for result in results])

    def _value(self, result: Future[Any]) -> _Value:
        if result.done():
            return _Value(result)  # it may have been changed since another call was sent
        with self._lock:
            value = self._values.get(id(result))
            if value is None:
                value = self._values[id(result)] = _Value(result)
            return value

    def add(
        self,
        task: MessageFuture,
        call: LateCall,
        metadata: bytes,
        before: Sequence[MessageFuture],
    ) -> None:
        """Send a call when its results are there.

        Parameters
        ----------
        metadata : bytes
            For the scheduler.
        before : sequence of MessageFuture
            What has to end before, too, well or not.
        """
        with InterruptsHeld():
            self._messenger.expect(task)
            task.unsent = True
            self._tasks[task.msg_id] = task
            task.add_done_callback(self._ended)
            _Unsent(self, task, call, metadata, before).wait()

    def _ended(self, task: Future[Any]) -> None:
        self._tasks.pop(task.msg_id, None)  # type: ignore[attr-defined]

    def withdraw(self, task: MessageFuture) -> bool:
        """Do not send a call after all; whether it was not sent yet."""
        with self._lock:
            if not task.unsent:
                return False
            task.unsent, task.never_sent = False, True
            self._has_withdrawn = True
            return True

    def ready(self, unsent: _Unsent) -> None:
        """Send a call, or have it fail; one after the other.

        A call that fails lets the next one fail, and so on: were each to do so inside of the
        other, a long chain would be too deep for Python.
        """
        queue: deque[_Unsent] | None = getattr(self._thread, "queue", None)
        if queue is not None:
            queue.append(unsent)
            return
        self._thread.queue = queue = deque([unsent])
        try:
            while queue:
                unsent = queue.popleft()
                self._finish(unsent)
                unsent.clear()
        finally:
            self._thread.queue = None

    def _finish(self, unsent: _Unsent) -> None:
        task, call = unsent.task, unsent.call
        if task.done():
            return
        error: BaseException | None = call.failure()
        if error is None:
            error = next((_impossible(name_of(call.func), e) for e in unsent.never_begun()), None)
        if error is None:
            try:
                content, buffers = call.complete(self._messenger.max_message_size)
            except (TypeError, MessageTooLarge, KeyboardInterrupt) as e:
                error = e
        if error is None:
            self._send(task, content, buffers, unsent.metadata)
        elif self.withdraw(task):
            self._messenger.fail(task, error)

    def _send(
        self, task: MessageFuture, content: bytes, buffers: list[Any], metadata: bytes
    ) -> None:
        with InterruptsHeld(), self._lock:
            if not task.unsent:
                return  # it was cancelled
            task.unsent = False
            self._tasks.pop(task.msg_id, None)
            try:
                self._messenger.send_late(task, content, buffers, metadata)
            except OSError:
                return  # the client was closed, and with it all tasks have failed
