"""Results that are on their way."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from concurrent.futures import (
    ALL_COMPLETED,
    FIRST_COMPLETED,
    FIRST_EXCEPTION,
)
from concurrent.futures import wait as wait_for_futures
from typing import TYPE_CHECKING, Any

from ...error import IPythonError, RemoteError, TaskCancelled, compose_exceptions
from ..display import LiveOutput, display_outputs
from ..display.waiting import announced, wait_for_output
from ..messaging.interrupts import InterruptsHeld
from ..messaging.resolving import error_of, outcome, resolve
from ..messaging.serving import serve_meanwhile
from ..messaging.tasks import MessageFuture
from ..waiting import deadline_after, time_left
from .cancelling import CancellableResult
from .completion import Completion
from .iteration import InTurnResult
from .waits import WaitableResult

if TYPE_CHECKING:
    from ..client import Client

#: What a result is made from: one task, or several, or their message ids.
Children = MessageFuture | str | Sequence[MessageFuture | str]


class AsyncResult(CancellableResult, WaitableResult, InTurnResult):
    """The result of a call on one or more engines.

    A future of `concurrent.futures`, so that `wait` and `as_completed` from there take it; it can
    be awaited, too, and given to load-balanced calls as an argument. What is known besides the
    result is there without waiting: ``ar.stdout``, ``ar['engine_id']``.

    Parameters
    ----------
    client : Client
    children : MessageFuture or message id, or list of them
        One alone makes the result a single one: not a list.
    fname : str
        Name of what was called.
    targets : optional
        The engines.
    owner : bool
        Accepted for compatibility: the client keeps no results.
    return_exceptions : bool
        Whether failures are results as well.
    chunk_sizes : list of int, optional
        How many items each child stands for.
    """

    #: How many elements `DirectView.scatter` gave to each engine.
    _scatter_lengths: list[int]

    def __init__(
        self,
        client: Client | None,
        children: Children,
        fname: str = "unknown",
        targets: Any = None,
        owner: bool = False,
        return_exceptions: bool = False,
        chunk_sizes: Sequence[int] | None = None,
    ) -> None:
        super().__init__()
        if client is not None and (host := client._messenger.host) is not None:
            serve_meanwhile(self, host)
        self.owner = owner
        self._client = client
        self._targets = targets
        self._single = isinstance(children, (MessageFuture, str))
        listed = [children] if isinstance(children, (MessageFuture, str)) else children
        self._children = [_task(client, child) for child in listed]
        self._fname = fname
        self._return_exceptions = return_exceptions
        self._chunk_sizes = chunk_sizes
        if not self._children:
            self.set_result(self._join([]))
        completion = Completion(self)
        with InterruptsHeld():
            for child in self._children:
                child.add_done_callback(completion)

    def __repr__(self) -> str:
        if not self.done():
            state = "pending"
        elif self.cancelled():
            state = "cancelled"
        else:
            state = "failed" if self.exception() else "finished"
        return f"<{type(self).__name__}({self._fname}): {state}>"

    # ---- completion

    def _complete(self) -> None:
        """All tasks have ended."""
        if self._note_cancelled():
            return
        failure = None if self._return_exceptions else self._failure(self._children)
        if failure is not None:
            resolve(self, error=failure)
            return
        try:
            result = self._whole()
        except Exception as e:  # noqa: BLE001  (joining calls the user's classes)
            resolve(self, error=e)
        else:
            resolve(self, result)

    def _whole(self) -> Any:
        """The result, with exceptions in the place of what failed."""
        results = [outcome(child) for child in self._children]
        return results[0] if self._single else self._join(results)

    def _join(self, results: list[Any]) -> Any:
        return results

    def _failure(self, children: Sequence[MessageFuture]) -> BaseException | None:
        """What failed of these: the one error, or all of them as one."""
        errors = [error for child in children if (error := error_of(child)) is not None]
        for error in errors:
            # not remote: unpickling the result failed here, for example
            if self._single or not isinstance(error, IPythonError) or _is_cancellation(error):
                return error
        return compose_exceptions(errors, self._fname)

    # ---- waiting

    def get(
        self,
        timeout: float | None = None,
        return_exceptions: bool | None = None,
        return_when: str | None = None,
    ) -> Any:
        """Wait for the result and return it.

        Parameters
        ----------
        timeout : float, optional
            Seconds to wait; None or a negative number: for ever.
        return_exceptions : bool, optional
            Return failures as results instead of raising them.
        return_when : {'ALL_COMPLETED', 'FIRST_EXCEPTION'}, optional
            Whether to raise as soon as one task has failed, or when all have ended.

        Raises
        ------
        TimeoutError
            The result is not there in time.
        RemoteError
            The call failed on its engine; it is of the original type, too. A `CompositeError` if
            the call was sent to several.
        EngineError
            The engine died.
        TaskAborted
            The task was aborted, or cancelled: then it is a TaskCancelled.
        """
        deadline = deadline_after(timeout)
        if return_when not in (None, ALL_COMPLETED, FIRST_COMPLETED, FIRST_EXCEPTION):
            raise ValueError(f"Invalid return condition: {return_when!r}")
        if return_when == FIRST_COMPLETED:
            warnings.warn(
                "get returns all of the result; to have what comes first, iterate, or use wait",
                UserWarning,
                stacklevel=2,
            )
        elif return_when == FIRST_EXCEPTION and not return_exceptions:
            done, _ = self._wait_for_tasks(timeout, FIRST_EXCEPTION)
            if (failure := self._failure(done)) is not None:
                raise failure
        if not self.wait(timeout):
            raise TimeoutError("Result not ready.")
        # it takes another way than the reply that tells of it, and is near
        wait_for_output(announced(self._children), deadline)
        if return_exceptions is None:
            return_exceptions = self._return_exceptions
        if self.cancelled() and return_exceptions:
            # what has ended nevertheless is near
            wait_for_futures(self._children, time_left(deadline))
        elif return_exceptions == self._return_exceptions or self.cancelled():
            return self.result()
        if not return_exceptions and (failure := self._failure(self._children)) is not None:
            raise failure
        return self._whole()

    def result(self, timeout: float | None = None) -> Any:
        """Wait for the result and return it; see `concurrent.futures.Future.result`.

        An error is raised from here, and not from there, so that a debugger that is entered after
        it stands where ``self`` is the result.
        """
        if self.exception(timeout) is not None:
            assert self._exception is not None
            raise self._exception
        return super().result()

    @property
    def r(self) -> Any:
        """The result, waited for; see `get`."""
        return self.get()

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

    def split(self) -> tuple[AsyncResult, ...]:
        """The results of the single messages behind this."""
        if self._single:
            return (self,)
        return tuple(
            AsyncResult(
                self._client,
                child,
                self._fname,
                targets=self._targets,
                return_exceptions=self._return_exceptions,
            )
            for child in self._children
        )

    @classmethod
    def join(cls, *results: AsyncResult) -> AsyncResult:
        """One result of the messages behind all of these: a list.

        Raises
        ------
        ValueError
            There are none.
        """
        if not results:
            raise ValueError("nothing to join: give at least one AsyncResult")
        return AsyncResult(
            results[0]._client,
            [child for result in results for child in result._children],
            results[0]._fname,
            return_exceptions=results[0]._return_exceptions,
        )

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
        for child in self._children:
            engine_id = child.metadata["engine_id"]
            if engine_id in by_engine:
                raise ValueError(f"cannot make a dict: engine {engine_id} has several results")
            by_engine[engine_id] = outcome(child)
        return by_engine

    @property
    def result_dict(self) -> dict[int, Any]:
        """See `get_dict`."""
        return self.get_dict()

    def __getitem__(self, key: Any) -> Any:
        if isinstance(key, str):
            return self._metadata_item(key)
        if not self.done():
            raise TimeoutError("Result not ready.")
        if isinstance(key, (int, slice)):
            return self.result()[key]
        raise TypeError(f"an AsyncResult takes ints, slices and names, not {key!r}")

    def _items(self, child: MessageFuture) -> Iterator[Any]:
        if not self._return_exceptions and (error := self._failure([child])) is not None:
            raise error
        yield outcome(child)


def _task(client: Client | None, child: MessageFuture | str) -> MessageFuture:
    if isinstance(child, MessageFuture):
        return child
    task = None if client is None else client._messenger.tasks.find(child)
    if task is None:
        raise KeyError(f"this client does not know a task {child!r} (any more)")
    return task


def _is_cancellation(error: BaseException) -> bool:
    return isinstance(error, TaskCancelled) and not isinstance(error, RemoteError)
