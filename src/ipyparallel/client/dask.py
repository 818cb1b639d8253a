"""Engines as workers of dask: `Client.become_dask` and `Client.stop_dask`."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from ..error import EngineError
from ..protocol.messages import encode
from ..util.dask_worker import become_dask_worker, stop_distributed_worker
from .messaging.messenger import Messenger
from .targets import Targets, is_all

if TYPE_CHECKING:
    import distributed

    from .views.direct import DirectView


class DaskMethods:
    """The part of `Client` about dask."""

    _messenger: Messenger

    def become_dask(
        self,
        targets: Targets = "all",
        port: int = 0,
        nanny: bool = False,
        scheduler_args: Mapping[str, Any] | None = None,
        **worker_args: Any,
    ) -> distributed.Client:
        """Make the cluster one of dask's, too: a scheduler in the controller, workers in engines.

        Engines go on as engines; dask's tasks run beside theirs, and can use their namespaces.
        Waits until what the engines run now has ended. Engines that are workers already stay as
        they are, so that others can be added.

        The scheduler listens where the controller does. As ever with dask, whoever can reach it
        there can have code run.

        Parameters
        ----------
        targets : optional
            Which engines; by default all there are.
        port : int
            Where the scheduler listens; 0 for any port.
        nanny : bool
            Whether workers are processes of their own, children of the engines, that dask watches
            and restarts; they do not have the namespaces of engines.
        scheduler_args : dict, optional
            Arguments of ``distributed.Scheduler``, of types that JSON knows.
        **worker_args
            Arguments of ``distributed.Worker``, or of ``distributed.Nanny``; by default,
            ``nthreads=1``.

        Returns
        -------
        distributed.Client
            Connected to the scheduler; close it when you are done.

        Raises
        ------
        ImportError
            distributed cannot be imported here, by the controller, or by an engine.
        ValueError
            There is a scheduler already, on another port.
        TypeError
            An argument that the scheduler, or a worker, does not know; one of the scheduler's that
            is of a type that JSON does not know.
        """
        try:
            import distributed
        except ModuleNotFoundError as e:
            if e.name not in ("distributed", "dask"):
                raise
            raise ImportError(
                "become_dask needs dask's package distributed; install it with"
                " `pip install distributed`, here and where controller and engines are",
                name=e.name,
            ) from None
        view = self._dask_view(targets)
        options = _for_json(scheduler_args or {})
        if port:
            options["port"] = port
        request = {"scheduler_args": options}
        reply = self._messenger.request("query", "become_dask_request", request).result()
        try:
            if view is not None:
                self._start_workers(view, reply["address"], nanny=nanny, **worker_args)
            return distributed.Client(reply["address"])
        except BaseException as e:
            if reply.get("started"):
                if isinstance(e, Exception):
                    self._stop_workers(view)
                # by Ctrl-C, who does not want to wait for engines: what workers there are end
                # without their scheduler
                self._stop_scheduler()
            raise

    become_distributed = become_dask

    def stop_dask(self, targets: Targets = "all") -> None:
        """End dask's scheduler and its workers; the engines go on.

        Parameters
        ----------
        targets : optional
            The engines to wait for, until their workers have ended; by default all. Without the
            scheduler, the other workers end by themselves.
        """
        self._stop_workers(self._dask_view(targets))
        self._stop_scheduler()

    stop_distributed = stop_dask

    def _start_workers(self, view: DirectView, address: str, **options: Any) -> None:
        starting = view.apply_async(become_dask_worker, address, **options)
        try:
            starting.get()
        except KeyboardInterrupt:
            view.client.abort(starting, block=False)
            raise

    def _stop_workers(self, view: DirectView | None) -> None:
        if view is None:
            return
        for stopped in view.apply_async(stop_distributed_worker).split():
            with suppress(EngineError):  # it died, or is just dying
                stopped.get()

    def _stop_scheduler(self) -> None:
        self._messenger.request("query", "stop_distributed_request", {}).result()

    def _dask_view(self, targets: Targets) -> DirectView | None:
        """The engines meant; None for all, if there are none."""
        engines = self._messenger.engines
        if is_all(targets) and not engines.ids:
            return None
        return self.direct_view("all" if is_all(targets) else targets)

    def direct_view(self, targets: Targets = "all", **flags: Any) -> DirectView:
        """See `Client.direct_view`."""
        raise NotImplementedError


def _for_json(scheduler_args: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments, which must be such as can be sent to the controller."""
    for name, value in scheduler_args.items():
        try:
            encode({name: value})
        except (TypeError, ValueError, OverflowError) as e:
            raise TypeError(
                "scheduler_args must be of types that JSON knows, since they are sent to the"
                f" controller, and {name!r} is not: {value!r}"
            ) from e
    return dict(scheduler_args)
