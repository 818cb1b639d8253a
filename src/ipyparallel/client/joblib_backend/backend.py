"""joblib on engines: the backend that `ipyparallel.register_joblib_backend` registers.

Importing this module imports joblib. See `batch` for what runs on engines.

A batch of joblib's is one balanced task. What happens when one ends (joblib takes more of the
user's input then, and pickles it) happens in a thread of the call, not in the client's thread for
messages: that input may come from the cluster itself.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from joblib.parallel import (
    BACKENDS,
    AutoBatchingMixin,
    FallbackToBackend,
    ParallelBackendBase,
    ThreadingBackend,
    register_parallel_backend,
)

from ...error import NoEnginesRegistered
from ...serialize.self_contained import SelfContained
from ..ipython import get_kernel
from .batch import run_batch
from .hosts import engines_by_host

if TYPE_CHECKING:
    from ..client import Client
    from ..views.balanced import LoadBalancedView


class IPythonParallelBackend(AutoBatchingMixin, ParallelBackendBase):  # type: ignore[misc]
    """Runs joblib's batches on engines, wherever there is room.

    Parameters
    ----------
    view : LoadBalancedView, optional
        Its targets and flags are those of the tasks. By default all engines of the default
        profile's cluster; if there is none, one is started for this process.
    **kwargs
        For joblib's base class: ``inner_max_num_threads``, ``nesting_level``.
    """

    supports_retrieve_callback = True
    supports_inner_max_num_threads = True
    default_n_jobs = -1
    # joblib's own are for pools whose overhead is some ten times that of engines
    MIN_IDEAL_BATCH_DURATION = 0.05
    MAX_IDEAL_BATCH_DURATION = 0.5

    def __init__(self, view: LoadBalancedView | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._given = view
        self._view = view
        self._hosts: dict[str, int] = {}
        self._pending: set[Future[Any]] = set()
        self._callbacks: ThreadPoolExecutor | None = None
        #: There are several if some return generators.
        self._calls = 0

    # ---- how many

    def effective_n_jobs(self, n_jobs: int | None) -> int:
        """The number of engines, whatever was asked for."""
        if n_jobs == 0:
            raise ValueError("n_jobs == 0 in Parallel has no meaning")
        if self._given is None and _on_engine():
            return ThreadingBackend(nesting_level=1).effective_n_jobs(n_jobs)  # type: ignore[no-any-return]
        return len(self._connected())

    def configure(self, n_jobs: int = 1, parallel: Any = None, **backend_kwargs: Any) -> int:
        """Prepare for a call; see the base class.

        Raises
        ------
        NoEnginesRegistered
            There is nobody to run it.
        """
        self.parallel = parallel
        if self._given is None and _on_engine():
            # a task must not start a cluster, nor wait for engines that wait for it
            raise FallbackToBackend(ThreadingBackend(nesting_level=(self.nesting_level or 0) + 1))
        number = self.effective_n_jobs(n_jobs)
        if not number:
            raise NoEnginesRegistered
        self._hosts = engines_by_host(self._connected().client)
        # told that there is one, joblib would not ask it, and do the work in this process
        return max(2, number)

    def _connected(self) -> LoadBalancedView:
        if self._view is None:
            self._view = default_view()
        return self._view

    # ---- running

    def start_call(self) -> None:
        """A call begins."""
        self._calls += 1
        if self._callbacks is None:
            self._callbacks = ThreadPoolExecutor(1, thread_name_prefix="joblib")

    def stop_call(self) -> None:
        """A call has ended."""
        self._calls -= 1
        if not self._calls and self._callbacks is not None:
            self._callbacks.shutdown(wait=False)
            self._callbacks = None
        self.reset_batch_stats()

    def submit(
        self, func: Callable[[], Any], callback: Callable[[Any], None] | None = None
    ) -> Future[Any]:
        """Have an engine run a batch; joblib is called back when it has ended."""
        future: Future[Any]
        try:
            future = self._connected().apply_async(
                _run, SelfContained(func), self.inner_max_num_threads, self._hosts
            )
        except Exception as e:  # noqa: BLE001  (joblib would not see it: this may be its callback)
            future = Future()
            future.set_exception(e)
        self._pending.add(future)
        callbacks = self._callbacks

        def told(future: Future[Any]) -> None:
            try:
                if callback is not None:
                    callback(future)
            finally:
                self._pending.discard(future)

        def ended(future: Future[Any]) -> None:
            try:
                if callbacks is not None:
                    callbacks.submit(told, future)
                    return
            except RuntimeError:  # the call was given up
                pass
            self._pending.discard(future)

        future.add_done_callback(ended)
        return future

    apply_async = submit

    def retrieve_result_callback(self, out: Future[Any]) -> Any:
        """What a batch that has ended returned, or raise what it failed with."""
        return out.result()

    @contextmanager
    def retrieval_context(self) -> Iterator[None]:
        """In which joblib waits for results, by looking again and again.

        In a task, which has its engine's own client, that must not be all: the engine has to run
        other tasks while this one waits for them, and does so when one waits for a future.
        """
        if _on_engine():
            self._wait_as_others_do()
        yield

    def _wait_as_others_do(self) -> None:
        while pending := list(self._pending):
            for future in pending:
                wait([future])
                if future.cancelled() or future.exception() is not None:
                    return
            # until joblib was told of those, and has submitted more
            if self._callbacks is not None:
                self._callbacks.submit(int).result()

    def abort_everything(self, ensure_ready: bool = True) -> None:
        """Call off what has not ended: joblib will not ask for it any more."""
        pending = [future for future in list(self._pending) if not future.done()]
        if pending:
            view = self._connected()
            with suppress(OSError):  # the cluster is gone
                view.client.abort(pending, block=False)


def _run(batch: Callable[[], Any], inner_threads: int | None, engines: dict[str, int]) -> Any:
    """Run a batch; on an engine."""
    # code in it may name the backend, which there means threads
    if "ipyparallel" not in BACKENDS:
        register_parallel_backend("ipyparallel", IPythonParallelBackend)
    return run_batch(batch, inner_threads, engines)


def _on_engine() -> bool:
    """Whether this process is an engine."""
    return getattr(get_kernel(), "engine_id", None) is not None


_default: tuple[int, LoadBalancedView] | None = None


def default_view() -> LoadBalancedView:
    """A view on the cluster of the default profile, or on one that this process starts.

    It is the same each time, until that cluster is gone. One that was started here stops with
    this process.
    """
    global _default
    if _default is not None:
        owner, view = _default
        if owner == os.getpid() and not view.client._messenger.lost:
            return view
    _default = os.getpid(), _connect().load_balanced_view()
    return _default[1]


def _connect() -> Client:
    from ...cluster import Cluster

    level = logging.WARNING  # nobody has asked for a cluster
    try:
        cluster = Cluster.from_file(log_level=level)
    except FileNotFoundError:
        cluster = None
    if cluster is None or cluster.controller is None:
        return Cluster(log_level=level).start_and_connect_sync()
    client = cluster.connect_client_sync()
    if not client.ids:
        if not cluster.engines:
            cluster.start_engines_sync()
        client.wait_for_engines(cluster.n or 1)
    return client
