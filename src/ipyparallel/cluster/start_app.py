"""``ipcluster start`` and ``ipcluster engines``: bring up, say so, and watch or leave alone."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from traitlets import Bool, Float
from traitlets.config import catch_config_error

from ..application import BaseParallelApplication, base_aliases, base_flags
from ..error import EngineError
from ..protocol.profiles import log_folder
from .cluster import Cluster
from .launchers.base import BaseLauncher, LauncherError
from .launchers.local import LocalControllerLauncher, LocalEngineSetLauncher
from .manager import is_running
from .profile_config import translate_config
from .readiness import failure_text, wait_until_registered

ALREADY_STARTED = 10

engine_aliases: dict[Any, Any] = {
    **base_aliases,
    "n": "Cluster.n",
    "engines": "Cluster.engine_launcher_class",
    "resources": "Cluster.resources",
    "restart": "Cluster.engine_restart",
}
engine_flags: dict[str, Any] = {
    **base_flags,
    "daemonize": (
        {"IPClusterEngines": {"daemonize": True}},
        "Return when everything is up, and leave it running.",
    ),
}
start_aliases: dict[Any, Any] = {
    **engine_aliases,
    "controller": "Cluster.controller_launcher_class",
    "delay": "Cluster.delay",
    "ip": "Cluster.controller_ip",
    "location": "Cluster.controller_location",
}

engines_help = """Start engines for a controller that is already running.

    ipcluster engines --profile=myprofile -n 4
"""
start_help = """Start a cluster: a controller and engines.

    ipcluster start -n 4 --profile=myprofile
    ipcluster start -n 4 --daemonize
    ipcluster start -n 4 -- --hwm=1      # what follows the -- goes to the controller
"""

#: Signals that are meant for the engines.
_FORWARDED = [
    getattr(signal, name) for name in ("SIGUSR1", "SIGUSR2", "SIGINFO") if hasattr(signal, name)
]
#: For how long the controller may still be stopping when the engines have been.
_STOPPING_SECONDS = 2


class IPClusterEngines(BaseParallelApplication):
    """Starts engines for a controller that is already running."""

    name = "ipcluster engines"
    description = engines_help
    config_name = "ipcluster"
    aliases = engine_aliases
    flags = engine_flags
    classes = [Cluster, LocalControllerLauncher, LocalEngineSetLauncher]

    daemonize = Bool(False, help="Whether to return when all is up, and leave it running.").tag(
        config=True
    )
    early_shutdown = Float(
        30, help="Engines that stop within so many seconds have failed to start."
    ).tag(config=True)

    @catch_config_error
    def initialize(self, argv: Any = None) -> None:
        """Read the settings, also those under old names."""
        super().initialize(argv)
        renamed, texts = translate_config(self.config)
        for text in texts:
            self.log.warning("In the configuration, %s", text)
        self.update_config(renamed)

    @catch_config_error
    def start(self) -> None:
        """Bring it up; return when it has ended or, with `daemonize`, when it is up."""
        cluster = self.make_cluster()
        self.exit(asyncio.run(self._run(cluster)))

    def make_cluster(self) -> Cluster:
        """The cluster to start, as far as this command does. It is in no cluster file."""
        return self._new_cluster(cluster_file="")

    def _new_cluster(self, **kwargs: Any) -> Cluster:
        return Cluster(
            parent=self,
            profile_dir=str(self.profile_path),
            cluster_id=self.cluster_id,
            load_profile=False,
            shutdown_atexit=not self.daemonize,
            **kwargs,
        )

    async def _run(self, cluster: Cluster) -> int:
        with self._signals(cluster) as asked_to_stop:
            work = asyncio.ensure_future(self._serve(cluster))
            asked = asyncio.ensure_future(asked_to_stop.wait())
            await asyncio.wait([work, asked], return_when=asyncio.FIRST_COMPLETED)
            if not work.done():
                self.log.info("Stopping")
                work.cancel()
            asked.cancel()
            exit_code = 0
            try:
                exit_code = await work
            except asyncio.CancelledError:
                await cluster.stop_cluster()
            except (OSError, RuntimeError, LauncherError, EngineError) as e:
                self.log.critical("%s", e)
                exit_code = 1
            if exit_code or not self.daemonize:
                await cluster.stop_cluster()
        return exit_code

    @contextmanager
    def _signals(self, cluster: Cluster) -> Iterator[asyncio.Event]:
        """While this lasts, Ctrl-C and SIGTERM set the event, and others go to the engines."""
        loop, asked, tasks = asyncio.get_running_loop(), asyncio.Event(), set()

        def forward(number: int) -> None:
            # the loop keeps tasks only weakly
            task = loop.create_task(cluster.signal_engines(number))
            tasks.add(task)
            task.add_done_callback(tasks.discard)

        if sys.platform == "win32":
            # its event loop knows no signals
            def interrupt(number: int, frame: object) -> None:
                loop.call_soon_threadsafe(asked.set)

            old = signal.signal(signal.SIGINT, interrupt)
            try:
                yield asked
            finally:
                signal.signal(signal.SIGINT, old)
            return
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, asked.set)
        for number in _FORWARDED:
            loop.add_signal_handler(number, forward, number)
        try:
            yield asked
        finally:
            for number in (signal.SIGINT, signal.SIGTERM, *_FORWARDED):
                loop.remove_signal_handler(number)

    async def _serve(self, cluster: Cluster) -> int:
        """Bring it up and watch it; return the exit code."""
        await cluster.start_engines()
        if self.daemonize:
            return 0
        return await self._watch(cluster)

    async def _watch(self, cluster: Cluster) -> int:
        """Wait until the controller, or the last engine set where there is none, has ended."""
        started = asyncio.get_running_loop().time()
        launchers: list[BaseLauncher] = [*cluster.engines.values()]
        controller = None
        if cluster.controller is not None:
            controller = asyncio.ensure_future(cluster.controller.join())
        ends = {asyncio.ensure_future(launcher.join()): launcher for launcher in launchers}
        while ends or controller is not None:
            waited = [*ends, *([controller] if controller is not None else [])]
            done, _ = await asyncio.wait(waited, return_when=asyncio.FIRST_COMPLETED)
            early = asyncio.get_running_loop().time() - started < self.early_shutdown
            failed = [ends.pop(end) for end in done if end in ends]
            if early and failed and controller is not None:
                # both may have been stopped, by `ipcluster stop`
                await asyncio.wait([controller], timeout=_STOPPING_SECONDS)
            if controller is not None and controller.done():
                data = controller.result()
                self.log.info("The controller has stopped: %s", data)
                return 1 if data.get("exit_code") else 0
            if early and failed:
                self.log.error("%s", failure_text(failed[0], "stopped soon after the start"))
                return 1
            if failed and controller is not None:
                self.log.warning("Engines have stopped; the controller goes on without them")
        return 0


class IPClusterStart(IPClusterEngines):
    """Starts a cluster: a controller and engines."""

    name = "ipcluster start"
    description = start_help
    aliases = start_aliases

    def make_cluster(self) -> Cluster:
        """The cluster to start; exit if it runs already."""
        try:
            found = Cluster.from_file(
                profile_dir=self.profile_path, cluster_id=self.cluster_id, log=self.log
            )
        except FileNotFoundError:
            pass
        except (OSError, ValueError) as e:
            self.log.warning("Assuming that the cluster is stopped: %s", e)
        else:
            if found.controller is None and found.engines:
                self.log.warning("Stopping engines that have lost their controller")
                found.stop_cluster_sync()
            elif is_running(found):
                self.log.critical(
                    "Cluster is already running, as %s says. Stop it with `%s`",
                    found.cluster_file,
                    self._command("stop"),
                )
                self.exit(ALREADY_STARTED)
        cluster = self._new_cluster()
        cluster.controller_args = [*cluster.controller_args, *self.extra_args]
        return cluster

    def _command(self, subcommand: str) -> str:
        options = [f"--profile-dir={self.profile_folder}"] if self.profile_folder else []
        options += [f"--profile={self.profile}"] if self.profile and not options else []
        options += [f"--cluster-id={self.cluster_id}"] if self.cluster_id else []
        return " ".join(["ipcluster", subcommand, *options])

    async def _serve(self, cluster: Cluster) -> int:
        self.log.info("Starting %r", cluster)
        await cluster.start_cluster()
        self.log.info("The controller is ready; waiting for the engines")
        await self._wait_for_engines(cluster)
        if self.daemonize:
            sys.stdout.write(f"Leaving cluster running: {cluster.cluster_file}\n")
            return 0
        self.log.info("Stop the cluster with Ctrl-C, or with `%s`", self._command("stop"))
        return await self._watch(cluster)

    async def _wait_for_engines(self, cluster: Cluster) -> None:
        client = await cluster.connect_client()
        try:
            await wait_until_registered(cluster, client)
        except TimeoutError as e:
            # jobs may wait in a queue for hours
            if self.daemonize and getattr(cluster.engine_launcher_class, "is_local", False):
                raise
            self.log.warning("Not all engines are ready yet. %s", e)
        else:
            self.log.info("%i engines are ready", len(client.ids))
        finally:
            client.close()
        arguments = [f"profile_dir={self.profile_folder!r}"] if self.profile_folder else []
        arguments += [f"profile={self.profile!r}"] if self.profile and not arguments else []
        arguments += [f"cluster_id={self.cluster_id!r}"] if self.cluster_id else []
        self.log.info("Connect with: ipyparallel.Client(%s)", ", ".join(arguments))
        self.log.info("Logs are in %s", log_folder(cluster.profile_dir))
