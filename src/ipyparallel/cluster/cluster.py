"""A cluster, from this process's side: start it, connect to it, stop it, find it again."""

from __future__ import annotations

import asyncio
import atexit
import json
import os
import sys
import threading
import time
import weakref
from collections.abc import Iterable
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from traitlets import Any as AnyTrait
from traitlets import Dict
from traitlets.utils.importstring import import_item

from .._async import AsyncFirst, blocking
from ..protocol import profiles
from .files import check_cluster_dict, cluster_file, read_cluster_file, write_cluster_file
from .launchers.base import NotRunning
from .launchers.find import abbreviate_launcher_class, find_launcher_class
from .launchers.roles import ControllerLauncher, EngineLauncher
from .readiness import wait_until_registered
from .settings import ClusterSettings, cpu_count

if TYPE_CHECKING:
    from ..client.client import Client


class Cluster(AsyncFirst, ClusterSettings):
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

    Examples
    --------
    >>> with Cluster(n=4) as rc:
    ...     rc[:].apply_sync(os.getpid)

    >>> cluster = Cluster.from_file()
    >>> rc = cluster.connect_client_sync()
    """

    controller = AnyTrait(None, allow_none=True, help="The controller's launcher, while it runs.")
    engines = Dict(help="The launchers of the engine sets that run, by engine set id.")

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._lock = threading.RLock()
        #: What we know to be in the cluster file.
        self._in_file: dict[str, Any] | None = None
        # a process that was forked from ours must not stop our cluster when it ends
        self._owner = os.getpid()
        self._entered: Client | None = None

    def __repr__(self) -> str:
        name = profiles.profile_name(self.profile_dir)
        place = f"profile_dir={name!r}" if name == self.profile_dir else f"profile={name!r}"
        parts = [f"cluster_id={self.cluster_id!r}", place]
        if self.controller is not None:
            parts.append(f"controller=<{self.controller.state}>")
        if self.engines:
            parts.append(f"engine_sets={list(self.engines)}")
        return f"<{type(self).__name__}({', '.join(parts)})>"

    @property
    def engine_set(self) -> EngineLauncher | None:
        """The first engine set, if there is one."""
        return next(iter(self.engines.values()), None)

    # --- starting -------------------------------------------------------------------------

    async def start_controller(self, **kwargs: Any) -> None:
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
        self.log.info("Starting the controller with %s", type(launcher).__name__)
        await launcher.start()
        self._add_controller(launcher)
        _running.add(self)

    start_controller_sync = blocking(start_controller)

    async def start_engines(
        self, n: int | None = None, engine_set_id: str | None = None, **kwargs: Any
    ) -> str:
        """Start a set of engines; return before they are ready.

        Parameters
        ----------
        n : int, optional
            How many; by default as many as the cluster's `n` says, else one for each CPU.
        engine_set_id : str, optional
            A name for the set.
        **kwargs
            Traits of the engines' launcher.

        Returns
        -------
        str
            The engine set's id.
        """
        n = n or self.n or cpu_count()
        engine_set_id = engine_set_id or self._new_engine_set_id()
        launcher = self.engine_launcher_class(
            parent=self,
            profile_dir=self.profile_dir,
            cluster_id=self.cluster_id,
            engine_set_id=engine_set_id,
            n=n,
            **kwargs,
        )
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
        _running.add(self)
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

    async def connect_client(self, **client_kwargs: Any) -> Client:
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
