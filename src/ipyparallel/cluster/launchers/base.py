"""What every launcher is: something that starts, is watched, can be stopped and found again.

One variant a file: see `local`. A launcher for another system implements `start`, `stop` and,
if what it started outlives this process, `from_dict`; tags the traits that it needs to find it
again with ``to_dict=True``; and is registered as an entry point (see `find`).
"""

from __future__ import annotations

import asyncio
import os
import shlex
from collections.abc import Callable
from concurrent.futures import Future, InvalidStateError
from pathlib import Path
from typing import Any, Self, TypeVar

from traitlets import Dict, Enum, Float, Integer, Unicode
from traitlets.config import LoggingConfigurable

from ..._async import AsyncFirst, blocking
from ...protocol import connection, profiles

T = TypeVar("T")

#: What is known when it has stopped: ``exit_code`` and ``identifier``, for a process ``pid``.
StopData = dict[str, Any]


class LauncherError(Exception):
    """Base of what a launcher raises."""


class ProcessStateError(LauncherError):
    """What was asked makes no sense in this state, such as starting twice."""


class UnknownStatus(LauncherError):
    """Nobody can tell whether it runs."""


class NotRunning(LauncherError):
    """What should be running does not run (any more)."""


async def outcome(future: Future[T], timeout: float | None = None) -> T:
    """Wait for what another thread finds out; TimeoutError after so many seconds."""
    if future.done():
        return future.result()
    return await asyncio.wait_for(asyncio.wrap_future(future), timeout)


class BaseLauncher(AsyncFirst, LoggingConfigurable):
    """Starts, watches and stops one thing: a process, a batch job, a process elsewhere."""

    stop_timeout = Float(60, help="Seconds to wait for the end after stopping by force.").tag(
        config=True
    )
    work_dir = Unicode(".", help="Folder to run in.").tag(config=True)
    environment = Dict(help="Environment variables to set or replace.").tag(config=True)
    output_limit = Integer(100, help="How many lines of its output to show when it fails.").tag(
        config=True
    )
    profile_dir = Unicode(help="The profile folder of the cluster.").tag(to_dict=True)
    cluster_id = Unicode(help="The cluster's id.").tag(to_dict=True)
    state = Enum(["before", "running", "after"], default_value="before").tag(to_dict=True)
    identifier = Unicode(help="Names it in logs and files.").tag(to_dict=True)

    #: What it starts, as in log messages and file names.
    name = "process"
    #: Whether it starts things on this host.
    is_local = False

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.stop_data: StopData | None = None
        #: Whether its end is wanted.
        self.stop_asked = False
        #: Whether to log a failure with its output; not while somebody waits who will raise it.
        self.log_failure = True
        self._stopped: Future[StopData] = Future()
        # whoever gives up waiting must not cancel it for the others
        self._stopped.set_running_or_notify_cancel()

    def _identifier_default(self) -> str:
        parts = [self.name, self.cluster_id, str(os.getpid())]
        return "-".join(filter(None, parts))

    def _profile_dir_default(self) -> str:
        return str(profiles.ensure_profile(profiles.profile_folder()))

    # --- what is started ------------------------------------------------------------------

    @property
    def args(self) -> list[str]:
        """The whole command line."""
        return self.find_args()

    @property
    def arg_str(self) -> str:
        """The command line as one would type it."""
        return shlex.join(self.args)

    def find_args(self) -> list[str]:
        """The command line; a launcher says how it is made."""
        raise NotImplementedError(f"{type(self).__name__} does not say what it runs")

    @property
    def cluster_args(self) -> list[str]:
        """Arguments that say which cluster it is, where the environment cannot."""
        return []

    @property
    def cluster_env(self) -> dict[str, str]:
        """Environment variables that say which cluster it is."""
        return {"IPP_CLUSTER_ID": self.cluster_id, "IPP_PROFILE_DIR": self.profile_dir}

    def get_env(self) -> dict[str, str]:
        """The environment to start in."""
        env = {**os.environ, **self.cluster_env, **self.environment}
        if "IPP_CONNECTION_INFO" not in self.environment:
            # that of the cluster whose engine we may be ourselves
            env.pop("IPP_CONNECTION_INFO", None)
        return env

    @property
    def connection_files(self) -> dict[str, Path]:
        """Where the controller writes its two connection files."""
        return {
            "client": connection.client_file(self.profile_dir, self.cluster_id),
            "engine": connection.engine_file(self.profile_dir, self.cluster_id),
        }

    # --- life -----------------------------------------------------------------------------

    @property
    def running(self) -> bool:
        """Whether it was started and has not ended."""
        return self.state == "running"

    async def start(self, *args: Any, **kwargs: Any) -> Any:
        """Start it; return as soon as it has been started, which is before it is ready."""
        raise NotImplementedError(f"{type(self).__name__} cannot start")

    start_sync = blocking(start)

    async def stop(self) -> StopData | None:
        """Stop it, and wait until it is gone."""
        raise NotImplementedError(f"{type(self).__name__} cannot stop")

    stop_sync = blocking(stop)

    async def signal(self, sig: int) -> None:
        """Send it a signal."""
        raise NotImplementedError(f"{type(self).__name__} cannot send signals")

    signal_sync = blocking(signal)

    async def join(self, timeout: float | None = None) -> StopData:
        """Wait for its end, by itself or by `stop`.

        Raises
        ------
        TimeoutError
            It has not ended after `timeout` seconds.
        """
        return await outcome(self._stopped, timeout)

    join_sync = blocking(join)

    def poll(self) -> int | None:
        """Its exit code; None while it runs, or when nobody knows."""
        return self.stop_data.get("exit_code") if self.stop_data is not None else None

    def get_output(self, remove: bool = False) -> str:
        """What it wrote so far; with `remove`, the place where that is kept goes away."""
        return ""

    def output_tail(self) -> str:
        """The last lines of the output, for an error message."""
        return "\n".join(self.get_output().splitlines()[-self.output_limit :])

    def on_stop(self, f: Callable[[StopData], Any]) -> None:
        """Call `f` with the stop data at the end, or at once if it has ended.

        The call comes in the thread that notices.
        """
        self._stopped.add_done_callback(lambda stopped: f(stopped.result()))

    def notify_start(self, data: Any = None) -> None:
        """A launcher calls this when it has started what it starts."""
        self.log.debug("Started %s: %s", self.identifier, data)
        self.state = "running"

    def notify_stop(self, data: StopData) -> None:
        """A launcher calls this, in any thread, when it sees the end. The first call counts."""
        self.stop_data = self.stop_data or data
        self.state = "after"
        try:
            self._stopped.set_result(data)
        except InvalidStateError:
            return
        self.log.debug("%s ended: %s", self.identifier, data)

    def require_state(self, state: str) -> None:
        """Raise ProcessStateError unless it is in that state."""
        if self.state != state:
            raise ProcessStateError(
                f"{self.identifier} is in the state {self.state!r}, not {state!r}"
            )

    # --- found again ----------------------------------------------------------------------

    def to_dict(self) -> dict[str, Any]:
        """What `from_dict` needs to find it again, fit for JSON."""
        return {name: getattr(self, name) for name in sorted(self.traits(to_dict=True))}

    @classmethod
    def from_dict(
        cls, d: dict[str, Any], *, config: Any = None, parent: Any = None, **kwargs: Any
    ) -> Self:
        """A launcher for what another launcher has started.

        Raises
        ------
        NotRunning
            It does not run any more.
        """
        options = {"parent": parent, "config": config, **kwargs}
        launcher = cls(**{key: value for key, value in options.items() if value is not None})
        for name in launcher.traits(to_dict=True):
            if name in d:
                setattr(launcher, name, d[name])
        return launcher
