"""Results that are on their way."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import CancelledError, Future
from datetime import datetime
from typing import TYPE_CHECKING, Any

from ..error import IPythonError, collect_exceptions
from ..protocol.session import parse_date
from .display import LiveOutput, display_outputs
from .interrupts import InterruptsHeld
from .metadata import Metadata
from .partition import Partition
from .tasks import MessageFuture

if TYPE_CHECKING:
    from .client import Client


#: Seconds that `get` waits for output, when the result is there, and says that there is some.
_OUTPUT_GRACE = 1.0


class AsyncResult(Future[Any]):
    """The result of a call on one or more engines.

    A future of `concurrent.futures`, so that `wait` and `as_completed` from there take it. What is
    known besides the result is there without waiting: ``ar.stdout``, ``ar['engine_id']``.

    Parameters
    ----------
    client : Client
    children : MessageFuture or list of them
        One alone makes the result a single one: not a list.
    fname : str
        Name of what was called.
    return_exceptions : bool
        Whether failures are results as well.
    chunk_sizes : list of int, optional
        How many items each child stands for.
    """

    def __init__(
        self,
        client: Client | None,
        children: MessageFuture | Sequence[MessageFuture],
        fname: str = "unknown",
        *,
        return_exceptions: bool = False,
        chunk_sizes: Sequence[int] | None = None,
    ) -> None:
        super().__init__()
        self._client = client
        self._single = isinstance(children, MessageFuture)
        self._children = [children] if isinstance(children, MessageFuture) else list(children)
        self._fname = fname
        self._return_exceptions = return_exceptions
        self._chunk_sizes = chunk_sizes
        self._left = len(self._children)
        self._left_lock = threading.Lock()
        self.set_running_or_notify_cancel()
        if not self._children:
            self.set_result([])
        with InterruptsHeld():
            for child in self._children:
                child.add_done_callback(self._child_done)

    def __repr__(self) -> str:
        if not self.done():
            state = "pending"
        else:
            state = "failed" if self.exception() else "finished"
        return f"<{type(self).__name__}({self._fname}): {state}>"

    # ---- completion

    def _child_done(self, child: Future[Any]) -> None:
        with self._left_lock:
            self._left -= 1
            if self._left:
                return
        try:
            result = self._reconstruct()
        except BaseException as e:  # noqa: BLE001  (what failed is the result)
            self.set_exception(e)
        else:
            self.set_result(result)

    def _raw(self) -> list[Any]:
        """The result of each child, or the exception in its place."""
        return [_outcome(child) for child in self._children]

    def _reconstruct(self) -> Any:
        if not self._return_exceptions:
            self._raise_failures()
        results = self._raw()
        return results[0] if self._single else results

    def _raise_failures(self) -> None:
        """Raise what failed, if anything did: the one error, or all of them as one."""
        errors = [error for child in self._children if (error := child.exception()) is not None]
        for error in errors:
            # not remote: unpickling the result failed here, for example
            if self._single or not isinstance(error, IPythonError):
                raise error
        collect_exceptions(errors, self._fname)

    def get(self, timeout: float | None = None, return_exceptions: bool | None = None) -> Any:
        """Wait for the result and return it.

        Parameters
        ----------
        timeout : float, optional
            Seconds to wait; None or a negative number: for ever.
        return_exceptions : bool, optional
            Return failures as results instead of raising them.

        Raises
        ------
        TimeoutError
            The result is not there in time.
        RemoteError
            The call failed on its engine; a `CompositeError` if it was sent to several.
        EngineError
            The engine died.
        """
        deadline = _deadline(timeout)
        if not self.wait(timeout):
            raise TimeoutError("Result not ready.")
        self._wait_for_announced_output(deadline)
        if return_exceptions is None or return_exceptions == self._return_exceptions:
            return self.result()
        if not return_exceptions:
            self._raise_failures()
        results = self._raw()
        return results[0] if self._single else self._join(results)

    def _wait_for_announced_output(self, deadline: float | None) -> None:
        """Wait for the output that replies say there is: it takes another way, and is near."""
        if all(child.output_done or child.output_expected is None for child in self._children):
            return
        left = _OUTPUT_GRACE if deadline is None else deadline - time.monotonic()
        self.wait_for_output(max(0.0, min(left, _OUTPUT_GRACE)))

    def _join(self, results: list[Any]) -> Any:
        return results

    @property
    def r(self) -> Any:
        """The result, waited for; see `get`."""
        return self.get()

    def wait(self, timeout: float | None = -1) -> bool:
        """Wait until the result is there.

        Parameters
        ----------
        timeout : float, optional
            Seconds; None or a negative number: for ever.

        Returns
        -------
        bool
            Whether it is there.
        """
        try:
            self.exception(_seconds(timeout))
        except TimeoutError:
            return self.done()
        return True

    def ready(self) -> bool:
        """Whether the result is there."""
        return self.done()

    def successful(self) -> bool:
        """Whether nothing failed.

        Raises
        ------
        RuntimeError
            The result is not there yet.
        """
        if not self.done():
            raise RuntimeError("Not ready: call wait() or get() first.")
        return all(child.exception() is None for child in self._children)

    def wait_for_output(self, timeout: float | None = -1) -> bool:
        """Wait until all output is there, too; whether it is, after so many seconds."""
        deadline = _deadline(timeout)
        for child in self._children:
            left = None if deadline is None else max(0.0, deadline - time.monotonic())
            try:
                child.output.result(left)
            except TimeoutError:
                if not child.output_done:
                    return False
        return True

    # ---- output

    def stream_output(self) -> LiveOutput:
        """A context in which output is shown as it comes, what has come before included."""
        return LiveOutput(self._children)

    def display_outputs(self, groupby: str = "type", result_only: bool = False) -> None:
        """Show what the tasks have written, displayed and returned; see `display`.

        Parameters
        ----------
        groupby : {'type', 'engine', 'order'}
            All text first, then all that was displayed, then the results; or all of each engine
            together; or the first thing that each engine has displayed, then the second.
        result_only : bool
            Only the results.

        Raises
        ------
        ValueError
            `groupby` is something else.
        TimeoutError
            The result is not there yet.
        """
        display_outputs(
            self._children, groupby=groupby, result_only=result_only, prefixed=not self._single
        )

    # ---- parts

    @property
    def msg_ids(self) -> list[str]:
        """The ids of the messages behind this."""
        return [child.msg_id for child in self._children]

    def get_dict(self, timeout: float | None = -1) -> dict[int, Any]:
        """The results by engine id.

        Raises
        ------
        ValueError
            An engine has run several of the tasks.
        TimeoutError
            As for `get`.
        """
        self.get(timeout)
        by_engine: dict[int, Any] = {}
        for child, result in zip(self._children, self._raw(), strict=True):
            engine_id = child.metadata["engine_id"]
            if engine_id in by_engine:
                raise ValueError(f"cannot make a dict: engine {engine_id} has several results")
            by_engine[engine_id] = result
        return by_engine

    @property
    def result_dict(self) -> dict[int, Any]:
        """See `get_dict`."""
        return self.get_dict()

    def __len__(self) -> int:
        if self._chunk_sizes is not None:
            return sum(self._chunk_sizes)
        return len(self._children)

    def __iter__(self) -> Iterator[Any]:
        if self._single:
            raise TypeError("AsyncResults with a single result are not iterable.")
        return self._iterate()

    def _iterate(self) -> Iterator[Any]:
        for child in self._children:
            yield self._outcome_or_raise(child)

    def _outcome_or_raise(self, child: MessageFuture) -> Any:
        outcome = _outcome(child)
        if not self._return_exceptions and (error := child.exception()) is not None:
            if isinstance(error, IPythonError):
                collect_exceptions([error], self._fname)
            raise error
        return outcome

    # ---- metadata

    @property
    def metadata(self) -> Metadata | list[Metadata]:
        """What is known about the task, or the list of that for several."""
        if self._single:
            return self._children[0].metadata
        return [child.metadata for child in self._children]

    def __getitem__(self, key: Any) -> Any:
        if isinstance(key, str):
            if self._single:
                return self._children[0].metadata[key]
            return [child.metadata[key] for child in self._children]
        if not self.done():
            raise TimeoutError("Result not ready.")
        if isinstance(key, (int, slice)):
            return self.result()[key]
        raise TypeError(f"an AsyncResult takes ints, slices and names, not {key!r}")

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        try:
            return self[name]
        except KeyError:
            raise AttributeError(
                f"{type(self).__name__!r} object has no attribute {name!r}"
            ) from None

    def __dir__(self) -> list[str]:
        return sorted({*super().__dir__(), *Metadata()})

    # ---- time

    @property
    def progress(self) -> int:
        """How many items are there so far."""
        sizes = self._chunk_sizes or [1] * len(self._children)
        return sum(size for size, child in zip(sizes, self._children, strict=True) if child.done())

    @property
    def elapsed(self) -> float:
        """Seconds since the first task was submitted; when all have ended, `wall_time`."""
        if self.done():
            return self.wall_time
        first = min(parse_date(child.header.date).timestamp() for child in self._children)
        return time.time() - first

    @property
    def wall_time(self) -> float:
        """Seconds from the first submission to the last result.

        Raises
        ------
        TimeoutError
            Not all results are there.
        """
        return self.timedelta(self._times("submitted"), self._times("received"))

    @property
    def serial_time(self) -> float:
        """Seconds that the engines spent on the tasks, added up.

        Raises
        ------
        TimeoutError
            Not all results are there.
        """
        return sum(
            (ended - begun).total_seconds()
            for begun, ended in zip(self._times("started"), self._times("completed"), strict=True)
            if begun is not None and ended is not None
        )

    def _times(self, key: str) -> list[datetime]:
        if not self.done():
            raise TimeoutError("Result not ready.")
        return [child.metadata[key] for child in self._children]

    def timedelta(
        self,
        start: Any,
        end: Any,
        start_key: Callable[[Any], datetime] = min,
        end_key: Callable[[Any], datetime] = max,
    ) -> float:
        """Seconds between two moments, or two collections of them.

        Parameters
        ----------
        start, end : datetime or list of datetime
        start_key, end_key : callable
            Choose one of several; by default the earliest start and the latest end.
        """
        if not isinstance(start, datetime):
            start = start_key([moment for moment in start if moment is not None])
        if not isinstance(end, datetime):
            end = end_key([moment for moment in end if moment is not None])
        return float((end - start).total_seconds())

    def wait_interactive(self, interval: float = 0.1, timeout: float | None = -1) -> None:
        """Wait, and show a bar of how many tasks have ended.

        Parameters
        ----------
        interval : float
            Seconds between updates.
        timeout : float, optional
            Seconds after which to return, ready or not; None or a negative number: never.
        """
        from tqdm.auto import tqdm

        deadline = _deadline(timeout)
        with tqdm(total=len(self), desc=self._fname, unit="tasks") as bar:
            while True:
                left = None if deadline is None else deadline - time.monotonic()
                done = self.wait(interval if left is None else max(0.0, min(interval, left)))
                bar.update(self.progress - bar.n)
                if done or (left is not None and left <= interval):
                    return


class AsyncMapResult(AsyncResult):
    """The result of a map: the chunks that the tasks return, joined.

    Parameters
    ----------
    partition : Partition
        How the chunks were cut, and are joined.
    ordered : bool
        Whether iteration keeps the order of the input, or takes what comes first.
    """

    def __init__(
        self,
        client: Client | None,
        children: Sequence[MessageFuture],
        partition: Partition,
        fname: str = "",
        *,
        ordered: bool = True,
        return_exceptions: bool = False,
        chunk_sizes: Sequence[int] | None = None,
    ) -> None:
        self._partition = partition
        self._ordered = ordered
        super().__init__(
            client,
            children,
            fname,
            return_exceptions=return_exceptions,
            chunk_sizes=chunk_sizes,
        )

    def _reconstruct(self) -> Any:
        return self._join(super()._reconstruct())

    def _join(self, results: list[Any]) -> Any:
        if any(isinstance(result, BaseException) for result in results):
            # an exception stands for its whole chunk
            return [
                item
                for result in results
                for item in ([result] if isinstance(result, BaseException) else result)
            ]
        return self._partition.join(results)

    def _iterate(self) -> Iterator[Any]:
        children = self._children if self._ordered else as_they_end(self._children)
        for child in children:
            outcome = self._outcome_or_raise(child)
            if child.exception() is not None:
                yield outcome
            else:
                yield from outcome


def as_they_end(children: Sequence[MessageFuture]) -> Iterator[MessageFuture]:
    """The futures, each as soon as it is done."""
    from concurrent.futures import as_completed

    yield from as_completed(children)  # type: ignore[misc]


def _outcome(child: MessageFuture) -> Any:
    try:
        error = child.exception()
    except CancelledError as e:
        return e
    return child.result() if error is None else error


def _seconds(timeout: float | None) -> float | None:
    return None if timeout is None or timeout < 0 else timeout


def _deadline(timeout: float | None) -> float | None:
    seconds = _seconds(timeout)
    return None if seconds is None else time.monotonic() + seconds
