"""A worker of dask in an engine; see `Client.become_dask`.

The worker has an event loop in a thread of its own, and runs dask's tasks in other threads. On the
engine's loop it could not answer dask while a task of the engine runs: it would be taken for dead,
and its tasks would be given to others. So both kinds of tasks run side by side, in one process,
and dask's find the namespace of the engine.
"""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import Future
from typing import Any

#: What the worker is called in the engine's namespace.
_NAMES = ("dask_worker", "distributed_worker")

#: Seconds that a worker may take to reach its scheduler. Without a limit it would try for ever.
_START = 30.0

#: Seconds that a worker may take to end.
_END = 30.0


class WorkerThread:
    """The thread of a worker.

    Parameters
    ----------
    kind : type
        ``distributed.Worker`` or ``distributed.Nanny``.
    address : str
        Of the scheduler.
    options : dict
        Arguments of the worker.
    kernel : ipykernel.ipkernel.IPythonKernel
        Where the worker is noted as long as it is there.
    """

    def __init__(self, kind: Any, address: str, options: dict[str, Any], kernel: Any) -> None:
        self.kind = kind
        self.address = address
        self.options = options
        self._kernel = kernel
        self._started: Future[Any] = Future()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="dask worker", daemon=True)

    def start(self) -> None:
        """Start the worker, and wait until its scheduler knows it."""
        self._thread.start()
        self._started.result()

    def _run(self) -> None:
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.run(self._live())

    async def _live(self) -> None:
        try:
            worker = await self.kind(self.address, **self.options)
        except BaseException as e:  # noqa: BLE001  (for `start` to raise)
            self._started.set_exception(e)
            return
        self._note(worker)
        self._started.set_result(worker)
        # by `stop`, or because its scheduler is gone
        await worker.finished()
        self._forget(worker)

    def _note(self, worker: Any) -> None:
        self._kernel.distributed_worker = worker
        self._kernel._dask_thread = self
        self._kernel.shell.user_ns.update(dict.fromkeys(_NAMES, worker))

    def _forget(self, worker: Any) -> None:
        if getattr(self._kernel, "distributed_worker", None) is worker:
            self._kernel.distributed_worker = self._kernel._dask_thread = None
        namespace = self._kernel.shell.user_ns
        for name in _NAMES:
            if namespace.get(name) is worker:
                del namespace[name]

    @property
    def alive(self) -> bool:
        """Whether the worker has not ended."""
        return self._thread.is_alive()

    def stop(self) -> None:
        """End the worker, and wait until it has ended.

        Raises
        ------
        TimeoutError
            It did not.
        """
        worker = self._started.result()
        coroutine = worker.close()
        try:
            asyncio.run_coroutine_threadsafe(coroutine, self._loop)
        except RuntimeError:  # it has ended by itself
            coroutine.close()
        self._thread.join(_END)
        if self._thread.is_alive():
            raise TimeoutError(f"the worker of dask did not end within {_END:g} s")


def become_dask_worker(address: str, nanny: bool = False, **kwargs: Any) -> str:
    """Make this engine a worker of dask; to be called on an engine.

    A worker that it has already is kept if it is the same, and replaced if not; if the new one does
    not start, one like that before does.

    Parameters
    ----------
    address : str
        Of dask's scheduler, such as ``'tcp://127.0.0.1:8786'``.
    nanny : bool
        Whether dask's tasks run in a process of their own, which dask restarts if need be. They
        do not see the engine's namespace then.
    **kwargs
        Arguments of ``distributed.Worker``, or of ``distributed.Nanny``. By default, `nthreads`
        is 1, `name` tells the id of the engine, and `death_timeout`, the seconds that the worker
        may take to reach the scheduler, is 30.

    Returns
    -------
    str
        The worker's own address.

    Raises
    ------
    RuntimeError
        This process is not an engine.
    ImportError
        distributed cannot be imported here.
    TimeoutError
        The scheduler cannot be reached.
    """
    kernel = _kernel()
    if kernel is None:
        raise RuntimeError("become_dask_worker must be called on an engine")
    try:
        import distributed
    except ModuleNotFoundError as e:
        if e.name not in ("distributed", "dask"):
            raise
        raise ImportError(
            f"engine {kernel.engine_id} cannot import dask's package distributed; install it where"
            " the engines are, with `pip install distributed`",
            name=e.name,
        ) from None
    kind = distributed.Nanny if nanny else distributed.Worker
    name = f"engine-{kernel.engine_id}"
    options = {"nthreads": 1, "name": name, "death_timeout": _START, **kwargs}
    before = None
    thread = getattr(kernel, "_dask_thread", None)
    if thread is not None and thread.alive:
        if (thread.kind, thread.address, thread.options) == (kind, address, options):
            return str(kernel.distributed_worker.address)
        thread.stop()
        before = thread
    thread = WorkerThread(kind, address, options, kernel)
    try:
        thread.start()
    except Exception as e:
        if before is not None:
            # asked for in vain, and the one there was is still wanted
            WorkerThread(before.kind, before.address, before.options, kernel).start()
        if not isinstance(e, TimeoutError):
            raise
        raise TimeoutError(f"{name} cannot reach dask's scheduler at {address}: {e}") from e
    return str(kernel.distributed_worker.address)


def stop_distributed_worker() -> None:
    """End the worker of dask that this engine is, if it is one; to be called on an engine."""
    thread = getattr(_kernel(), "_dask_thread", None)
    if thread is not None:
        thread.stop()


def _kernel() -> Any:
    """The kernel of the engine that this process is; None if it is none."""
    from IPython import get_ipython

    kernel = getattr(get_ipython(), "kernel", None)
    return kernel if hasattr(kernel, "engine_id") else None
