"""A cluster, from this process's side: start it, connect to it, stop it, find it again."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from collections.abc import Awaitable, Iterable, Mapping
from types import MappingProxyType, TracebackType
from typing import TYPE_CHECKING, Any, Self

from traitlets import Bunch, observe

from .._async import AsyncFirst, blocking, run_blocking
from ..engine.restarts import NEVER
from ..util.resources import check_number
from .at_exit import stop_at_exit
from .launchers.roles import EngineLauncher
from .readiness import wait_until_registered
from .restarting import restart_in_place
from .settings import cpu_count
from .stored import StoredCluster

if TYPE_CHECKING:
    from ..client.client import Client

#: How long the controller goes on while engines are stopping.
HEAD_START_SECONDS = 1


class Cluster(AsyncFirst, StoredCluster):
    """A controller and its engines.

    All arguments are keywords, and all traits can be given; `controller` and `engines` are short
    for the launcher classes. Every coroutine method has a blocking twin: ``start_cluster_sync``.

    Parameters
    ----------
    n : int, optional
        How many engines; by default one for each CPU.
    controller, engines : str or class, optional
        How the two are launched: ``'local'``, or the name of another launcher.
    profile, profile_dir : str, optional
        The IPython profile in which the cluster keeps its files.
    cluster_id : str, optional
        Tells the clusters of a profile apart; by default a new one.
    resources : dict or list of dict, optional
        How much each engine has of what tasks may ask for, such as ``{'gpu': 1}``; or a list of
        such dicts, one for each engine.
    engine_restart : str, optional
        ``'on-failure'`` has an engine that dies started again, under its id; ``'never'`` is the
        default.

    Examples
    --------
    >>> with Cluster(n=4) as rc:
    ...     rc[:].apply_sync(os.getpid)

    >>> cluster = Cluster.from_file()
    >>> rc = cluster.connect_client_sync()
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        # a process that was forked from ours must not stop our cluster when it ends
        self._owner = os.getpid()
        self._entered: Client | None = None

    # --- starting -------------------------------------------------------------------------

    async def start_controller(self, /, **kwargs: Any) -> None:
        """Start the controller; return before it is ready.

        Parameters
        ----------
        **kwargs
            Traits of the controller's launcher.
        """
        if self.controller is not None:
            raise RuntimeError(f"The controller of {self!r} is already running")
        launcher = self.controller_launcher_class(
            parent=self, profile_dir=self.profile_dir, cluster_id=self.cluster_id, **kwargs
        )
        args = [*launcher.controller_args, *self.controller_args]
        if self.controller_ip:
            args.append(f"--ip={self.controller_ip}")
        if self.controller_location:
            args.append(f"--location={self.controller_location}")
        launcher.controller_args = args
        if launcher.has_trait("engines_are_local"):
            launcher.engines_are_local = getattr(self.engine_launcher_class, "is_local", False)
        if hasattr(launcher, "lifeline"):
            # atexit does not run in a process that is killed
            launcher.lifeline = self.shutdown_atexit
        self.log.info("Starting the controller with %s", type(launcher).__name__)
        await launcher.start()
        self._add_controller(launcher)
        stop_at_exit(self)

    start_controller_sync = blocking(start_controller)

    async def start_engines(
        self, /, n: int | None = None, engine_set_id: str | None = None, **kwargs: Any
    ) -> str:
        """Start a set of engines; return before they are ready.

        Parameters
        ----------
        n : int, optional
            How many; by default as many as the cluster's `n` says, else one for each of the
            `resources` that are listed, else one for each CPU.
        engine_set_id : str, optional
            A name for the set.
        **kwargs
            Traits of the engines' launcher.

        Returns
        -------
        str
            The engine set's id.

        Raises
        ------
        ValueError
            `n` is negative, or `resources` lists those of another number of engines.
        """
        if n is not None and n < 0:
            raise ValueError(f"n must be a number of engines, not {n}")
        if self.resources:
            kwargs.setdefault("resources", self.resources)
        if self.engine_restart != NEVER:
            kwargs.setdefault("restart", self.engine_restart)
        declared = kwargs.get("resources")
        n = n or self.n or (len(declared) if isinstance(declared, list) else 0) or cpu_count()
        engine_set_id = engine_set_id or self._new_engine_set_id()
        launcher = self.engine_launcher_class(
            parent=self,
            profile_dir=self.profile_dir,
            cluster_id=self.cluster_id,
            engine_set_id=engine_set_id,
            n=n,
            **kwargs,
        )
        check_number(launcher.resources, n)
        if self.controller is not None and not launcher.waits_for_connection_file:
            info = await self.controller.get_connection_info()
            if self.send_engines_connection_env:
                engine_info = json.dumps(info["engine"])
                launcher.environment = {
                    "IPP_CONNECTION_INFO": engine_info,
                    **launcher.environment,
                }
        self.log.info("Starting %i engines with %s", n, type(launcher).__name__)
        await launcher.start(n)
        self._add_engines(engine_set_id, launcher)
        stop_at_exit(self)
        return engine_set_id

    start_engines_sync = blocking(start_engines)

    async def start_cluster(self, n: int | None = None) -> Self:
        """Start the controller and a set of engines; return when the controller is ready.

        Raises
        ------
        RuntimeError
            The controller failed; the text ends with its output.
        """
        await self.start_controller()
        try:
            if self.delay:
                await asyncio.sleep(self.delay)
            await self.start_engines(n)
            if self.controller is not None:
                await self.controller.get_connection_info()
        except BaseException:
            await self.stop_cluster()
            raise
        return self

    start_cluster_sync = blocking(start_cluster)

    async def start_and_connect(self, n: int | None = None, activate: bool = False) -> Client:
        """Start the cluster, unless it runs, and connect a client when the engines are ready.

        Parameters
        ----------
        n : int, optional
            How many engines.
        activate : bool
            Whether to make the ``%px`` magics use this cluster.
        """
        started = self.controller is None
        if started:
            await self.start_cluster(n)
        try:
            client = await self.connect_client()
            try:
                await wait_until_registered(self, client, n)
            except BaseException:
                client.close()
                raise
        except BaseException:
            if started:
                await self.stop_cluster()
            raise
        if activate:
            client.activate()
        return client

    start_and_connect_sync = blocking(start_and_connect)

    async def connect_client(self, /, **client_kwargs: Any) -> Client:
        """Connect a client to this cluster, as soon as the controller is ready.

        Parameters
        ----------
        **client_kwargs
            Arguments for `Client`.
        """
        # late, as the command line and the engines have no use for a client
        from ..client.client import Client

        info = None
        if self.controller is not None:
            info = (await self.controller.get_connection_info())["client"]
        return Client(
            info,
            **{
                "cluster": self,
                "profile_dir": self.profile_dir,
                "cluster_id": self.cluster_id,
                **client_kwargs,
            },
        )

    connect_client_sync = blocking(connect_client)

    # --- stopping -------------------------------------------------------------------------

    async def stop_engines(self, engine_set_id: str | None = None) -> None:
        """Stop one engine set, or all, and wait until they are gone."""
        sets = self._engine_sets(engine_set_id)
        for launcher in sets.values():
            launcher.stop_asked = True
        await _all(launcher.stop() for launcher in sets.values())

    stop_engines_sync = blocking(stop_engines)

    async def stop_controller(self) -> None:
        """Stop the controller, if it runs, and wait until it is gone."""
        if (controller := self.controller) is not None:
            await controller.stop()

    stop_controller_sync = blocking(stop_controller)

    async def stop_cluster(self) -> None:
        """Stop everything, and wait until it is gone."""
        engines = asyncio.ensure_future(self.stop_engines())
        # engines leave faster while there is a controller to take leave of
        await asyncio.wait([engines], timeout=HEAD_START_SECONDS)
        await _all([self.stop_controller(), engines])
        self.update_cluster_file()

    stop_cluster_sync = blocking(stop_cluster)

    async def restart_engines(self, engine_set_id: str | None = None) -> None:
        """Replace the engines of one set, or of all: as many, in sets of the same ids.

        What they have not finished fails with an `EngineError`, except balanced tasks that may be
        tried again. Sets that have ended by themselves are started again.

        On this host the new engines have the ids of the old ones, and this returns when they are
        ready; except that those of a set that has ended as a whole get new ids.

        Raises
        ------
        KeyError
            There is no such set.
        TimeoutError
            They are not ready within `engine_timeout` seconds.
        """
        for key, launcher in self._engine_sets(engine_set_id, self.ended_sets).items():
            if not await restart_in_place(self, launcher):
                await launcher.stop()
                await self.start_engines(
                    launcher.n,
                    engine_set_id=key,
                    resources=launcher.resources,
                    restart=launcher.restart,
                )

    restart_engines_sync = blocking(restart_engines)

    async def signal_engines(self, signum: int, engine_set_id: str | None = None) -> None:
        """Send a signal to the engines of one set, or of all."""
        await _all(
            launcher.signal(signum) for launcher in self._engine_sets(engine_set_id).values()
        )

    signal_engines_sync = blocking(signal_engines)

    async def stop_engine(self, engine_id: int) -> None:
        """Not possible: a set is stopped as a whole; see `Client.shutdown`."""
        raise NotImplementedError("Engines are stopped by the set; a client can shut one down")

    async def restart_engine(self, engine_id: int) -> None:
        """Not possible: a set is restarted as a whole."""
        raise NotImplementedError("Engines are restarted by the set")

    async def signal_engine(self, engine_id: int, signum: int) -> None:
        """Not possible: see `Client.send_signal`."""
        raise NotImplementedError("Use Client.send_signal for a single engine")

    def _engine_sets(
        self, engine_set_id: str | None, more: Mapping[str, EngineLauncher] = MappingProxyType({})
    ) -> dict[str, EngineLauncher]:
        sets = {**more, **self.engines}
        if engine_set_id is None:
            return sets
        if engine_set_id not in sets:
            raise KeyError(f"No engine set {engine_set_id!r}; there are {list(sets)}")
        return {engine_set_id: sets[engine_set_id]}

    def _new_engine_set_id(self) -> str:
        number = int(time.time())
        while str(number) in self.engines:
            number += 1
        return str(number)

    # --- as a context, and at the end of the process --------------------------------------

    async def __aenter__(self) -> Client:
        self._entered = await self.start_and_connect()
        return self._entered

    async def __aexit__(self, *exc_info: object) -> None:
        if self._entered is not None:
            self._entered.close()
            self._entered = None
        await self.stop_cluster()

    def __enter__(self) -> Client:
        return run_blocking(self.__aenter__())

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        run_blocking(self.__aexit__())

    def __del__(self) -> None:
        self.stop_if_forgotten()

    @observe("shutdown_atexit")
    def _let_go(self, change: Bunch) -> None:
        """The cluster is to outlive this process after all."""
        if not change.new and hasattr(self.controller, "release"):
            self.controller.release()

    def stop_if_forgotten(self) -> None:
        # the first, if not even the constructor came to its end
        if getattr(self, "_owner", None) != os.getpid() or not self.shutdown_atexit:
            return
        if self.controller is not None or self.engines:
            sys.stderr.write(f"Stopping cluster {self!r}\n")
            self.stop_cluster_sync()


async def _all(awaitables: Iterable[Awaitable[Any]]) -> None:
    """Run them all to their end, then raise the first error."""
    for result in await asyncio.gather(*awaitables, return_exceptions=True):
        if isinstance(result, BaseException):
            raise result


def __getattr__(name: str) -> Any:
    # others import these from here; the manager needs this module first
    if name in ("ClusterManager", "clean_cluster_files"):
        from . import manager

        return getattr(manager, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
