"""What all views have in common: apply, map, what the client does for them."""

from __future__ import annotations

import warnings
from abc import abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping
from types import TracebackType
from typing import Any

from ..._host import get_host
from ...error import RemoteError
from ..arguments import check_callable, check_label
from ..jobs import Jobs, msg_ids_of
from ..messaging.tasks import MessageFuture
from ..partition import partition_named
from ..remotefunction import ParallelFunction, RemoteFunction, parallel, remote
from ..results import AsyncMapResult, AsyncResult
from ..targets import is_all
from .executor import ViewExecutor
from .flags import Flags


class View(Flags):
    """A way to call functions on engines.

    Attributes
    ----------
    block : bool
        Whether calls wait for their results and return these, instead of an `AsyncResult`.
    targets : optional
        The engines.
    label : str or None
        Given to all tasks.
    history : sequence of str
        Ids of the last messages that were submitted.
    """

    # ---- calling

    @abstractmethod
    def _apply(self, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> AsyncResult:
        """Submit a call."""

    def apply(self, _ipp_func: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
        """Call a function on the engines.

        Parameters
        ----------
        _ipp_func : callable
            Its globals are the engines' namespaces.
        *args, **kwargs
            Its arguments.

        Returns
        -------
        object or AsyncResult
            What it returns if the view blocks, else its result to come. Ctrl-C while waiting
            returns the latter, too: the call goes on.

        Raises
        ------
        TypeError
            Not a function, or it or an argument cannot be pickled.
        RemoteError
            The view blocks, and the call failed.
        """
        check_callable(_ipp_func)
        return self._finish(self._apply(_ipp_func, args, kwargs), self.block)

    def apply_async(
        self, _ipp_func: Callable[..., Any], /, *args: Any, **kwargs: Any
    ) -> AsyncResult:
        """Like `apply`; returns an AsyncResult whether the view blocks or not."""
        check_callable(_ipp_func)
        return self._apply(_ipp_func, args, kwargs)

    def apply_sync(self, _ipp_func: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
        """Like `apply`; waits for the result whether the view blocks or not."""
        check_callable(_ipp_func)
        return self._finish(self._apply(_ipp_func, args, kwargs), True)

    @abstractmethod
    def map(self, f: Callable[..., Any], *sequences: Iterable[Any], **options: Any) -> Any:
        """Call `f` with the elements of the sequences."""

    def map_async(self, f: Callable[..., Any], *sequences: Iterable[Any], **options: Any) -> Any:
        """Like `map`; returns an AsyncMapResult whether the view blocks or not."""
        _no_block("map_async", options)
        return self.map(f, *sequences, block=False, **options)

    def map_sync(self, f: Callable[..., Any], *sequences: Iterable[Any], **options: Any) -> Any:
        """Like `map`; waits for the results whether the view blocks or not."""
        _no_block("map_sync", options)
        return self.map(f, *sequences, block=True, **options)

    def imap(
        self, f: Callable[..., Any], *sequences: Iterable[Any], **options: Any
    ) -> Iterator[Any]:
        """Like `map`; an iterator over the results."""
        return iter(self.map_async(f, *sequences, **options))

    def remote(
        self, block: bool | None = None, **flags: Any
    ) -> Callable[[Callable[..., Any]], RemoteFunction]:
        """Decorator: calling the function calls it on the engines.

        Parameters
        ----------
        block : bool, optional
            Whether calls wait; by default as the view does at the time of the call.
        **flags
            For the time of each call; see `set_flags`.
        """
        return remote(self, block=block, **flags)

    def parallel(
        self, dist: str = "b", block: bool | None = None, **flags: Any
    ) -> Callable[[Callable[..., Any]], ParallelFunction]:
        """Decorator: calling the function shares the sequences it is given out to the engines.

        Parameters
        ----------
        dist : {'b', 'r'}
            Contiguous parts, or every n-th element.
        block : bool, optional
            Whether calls wait; by default as the view does now.
        **flags
            For the time of each call; see `set_flags`.
        """
        return parallel(self, dist=dist, block=self._blocks(block), **flags)

    @property
    def executor(self) -> ViewExecutor:
        """This view as an executor of `concurrent.futures`.

        The same one each time, until it is shut down.
        """
        executor = self._executor
        if executor is None or executor.view is not self or executor.is_shut_down:
            self._executor = executor = ViewExecutor(self)
        return executor

    _executor: ViewExecutor | None = None

    # ---- calls that are shared out

    @abstractmethod
    def _number_of_parts(self, length: int, chunksize: int | None) -> int:
        """Into how many parts to cut so many elements."""

    @abstractmethod
    def _submit_parts(
        self,
        call: Any,
        parts: list[tuple[Any, ...]],
        label: str | None,
        track: bool | None = None,
    ) -> list[MessageFuture]:
        """Submit one call for each tuple of arguments."""

    def _share_out(
        self,
        call: Any,
        inputs: list[Any],
        *,
        name: str,
        dist: str = "b",
        block: bool,
        chunksize: Any = None,
        ordered: bool = True,
        return_exceptions: bool = False,
        label: str | None = None,
        track: bool | None = None,
    ) -> Any:
        """Call `call` with parts of the inputs, which are of one length.

        Returns
        -------
        list or AsyncMapResult
            What the calls return, joined; an empty list for no input.
        """
        check_label(label)
        partition = partition_named(dist)
        length = len(inputs[0])
        if not length:
            return []
        number = self._number_of_parts(length, chunksize)
        cuts = (partition.cut(seq, number) for seq in inputs)
        parts = [part for part in zip(*cuts, strict=True) if len(part[0])]
        result = AsyncMapResult(
            self.client,
            self._submit_parts(call, parts, label, track),
            partition,
            name,
            ordered=ordered,
            return_exceptions=return_exceptions,
            chunk_sizes=[len(part[0]) for part in parts],
        )
        return self._finish(result, block)

    # ---- the client's methods, for this view's engines and tasks

    @property
    def results(self) -> Mapping[str, Any]:
        """Results by message id; see `Client.results`."""
        return self.client.results

    def get_result(
        self, indices_or_msg_ids: Jobs = None, block: bool | None = None, owner: bool = False
    ) -> AsyncResult:
        """The result of tasks that were submitted before; see `Client.get_result`.

        Parameters
        ----------
        indices_or_msg_ids : optional
            A message id, an index into this view's history, a result, or several of them; by
            default the last one submitted.
        block : bool, optional
            Whether to wait for it.
        owner : bool
            See `Client.get_result`.
        """
        block = self._blocks(block)
        jobs = -1 if indices_or_msg_ids is None else indices_or_msg_ids
        msg_ids = msg_ids_of(jobs, self.history)
        chosen = msg_ids[0] if isinstance(jobs, (int, str)) else msg_ids
        result = self.client.get_result(chosen, block=False, owner=owner)
        if block:
            with Interruptible():
                result.wait()
        return result

    def wait(self, jobs: Any = None, timeout: float | None = -1) -> bool:
        """Wait for tasks to end, by default those of this view; see `Client.wait`."""
        if jobs is None:
            jobs = self._pending()
        return self.client.wait(jobs, timeout)

    def abort(
        self, jobs: Any = None, targets: Any = None, block: bool | None = None
    ) -> AsyncResult:
        """Have tasks end, by default all of this view; see `Client.abort`.

        Parameters
        ----------
        jobs : optional
            Message ids or results.
        targets : optional
            Engines: only what these have is aborted; by default this view's engines. Of a
            load-balanced view, by default what waits for an engine, too.
        block : bool, optional
            Whether to wait until it is known what became of them.
        """
        block = self._blocks(block)
        if jobs is None:
            jobs = list(self.outstanding)
        if not self._is_balanced:
            targets = self._targets(targets)
        result = self.client.abort(jobs, targets, block=False)
        return self._wait_for(result) if block else result

    @property
    def outstanding(self) -> set[str]:
        """Ids of this view's messages whose results are to come."""
        return {task.msg_id for task in self._pending()}

    def _pending(self) -> list[MessageFuture]:
        """The tasks of this view that have not ended; its twins share its history."""
        pending = list(self.client._messenger.tasks.pending.values())
        return [task for task in pending if getattr(task.owner, "history", None) is self.history]

    def queue_status(self, targets: Any = None, verbose: bool = False) -> dict[Any, Any]:
        """How much each engine has to do; see `Client.queue_status`."""
        return self.client.queue_status(self._targets(targets), verbose)

    def purge_results(self, jobs: Any = (), targets: Any = ()) -> None:
        """Have the client and the hub forget results; see `Client.purge_results`.

        Parameters
        ----------
        jobs : optional
            Message ids, indices into this view's history, results, or several of them; or
            ``'all'``.
        targets : optional
            Engines; None and ``'all'`` are those of this view.
        """
        if not (isinstance(jobs, str) and jobs == "all"):
            jobs = msg_ids_of(() if jobs is None else jobs, self.history)
        if is_all(targets):
            own = self._targets(None)
            targets = "all" if own is None else own
        self.client.purge_results(jobs, targets)

    def shutdown(
        self,
        targets: Any = None,
        restart: bool = False,
        hub: bool = False,
        block: bool | None = None,
    ) -> None:
        """Stop engines; see `Client.shutdown`."""
        self.client.shutdown(self._targets(targets), restart, hub, self._blocks(block))

    def spin(self) -> None:
        """Does nothing: results arrive by themselves."""
        warnings.warn("spin is deprecated: results arrive by themselves", DeprecationWarning, 2)

    # ---- parts of the above

    def _finish(self, result: AsyncResult, block: bool) -> Any:
        """What a call returns: its value if it waits and is not interrupted."""
        if not block:
            return result
        with Interruptible():
            return result.get()
        return result

    def _wait_for(self, result: AsyncResult) -> AsyncResult:
        """Wait for a result of which only the failures matter."""
        with Interruptible():
            result.get()
        return result


class Interruptible:
    """Ctrl-C ends the waiting in this context: the call goes on, and the user gets hold of it."""

    def __enter__(self) -> None:
        pass

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool:
        # a remote error may be that of an engine that was interrupted; in an engine, nobody would
        # get hold of the result of a task that is interrupted
        return (
            isinstance(value, KeyboardInterrupt)
            and not isinstance(value, RemoteError)
            and get_host() is None
        )


def _no_block(method: str, options: dict[str, Any]) -> None:
    if "block" in options:
        raise TypeError(f"{method} takes no block: its name says whether it waits")
