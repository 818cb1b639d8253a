"""The two things that a cluster is made of, whatever starts them: a controller and engines."""

from __future__ import annotations

import asyncio
import json
import re
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from traitlets import CaselessStrEnum, Float, Integer, List, Unicode

from ...engine.restarts import NEVER, ON_FAILURE
from ...protocol import connection
from ...util.resources import Resources
from .base import BaseLauncher

ipcontroller_cmd_argv = [sys.executable, "-m", "ipyparallel.controller"]
ipengine_cmd_argv = [sys.executable, "-m", "ipyparallel.engine"]
ipcluster_cmd_argv = [sys.executable, "-m", "ipyparallel.cluster"]

#: How often to look for a file that another process, perhaps on another host, writes.
FILE_POLL_SECONDS = 0.02


def mentions(args: Iterable[str], options: Iterable[str]) -> bool:
    """Whether the command line sets one of the options, as ``--ip`` or as ``--IPController.ip``."""
    pattern = re.compile(rf"--?(\w+\.)?({'|'.join(map(re.escape, options))})(=.*)?")
    return any(pattern.fullmatch(arg) for arg in args)


class ControllerLauncher(BaseLauncher):
    """Starts a controller."""

    name = "ipcontroller"

    controller_cmd = List(
        Unicode(), ipcontroller_cmd_argv, help="The controller's command, without arguments."
    ).tag(config=True)
    controller_args = List(Unicode(), help="Arguments for the controller.").tag(config=True)
    connection_info_timeout = Float(
        60, help="Seconds to wait for the connection files of a controller that has started."
    ).tag(config=True)

    def find_args(self) -> list[str]:
        """The controller's command line."""
        return [*self.controller_cmd, *self.cluster_args, *self.controller_args]

    def remove_connection_files(self) -> None:
        """Remove the connection files of this cluster, so that nobody takes them for new ones."""
        for path in self.connection_files.values():
            path.unlink(missing_ok=True)

    async def get_connection_info(self, timeout: float | None = None) -> dict[str, dict[str, Any]]:
        """Wait for the connection files, and return what they say.

        Parameters
        ----------
        timeout : float, optional
            Seconds to wait; `connection_info_timeout` by default.

        Returns
        -------
        dict
            The contents of the two files: ``client`` and ``engine``.

        Raises
        ------
        RuntimeError
            The controller stopped; the text ends with its last output.
        TimeoutError
            The files did not come in time.
        """
        if timeout is None:
            timeout = self.connection_info_timeout
        deadline = time.monotonic() + timeout
        stopped = asyncio.ensure_future(self.join())
        self.log_failure = False
        try:
            while True:
                try:
                    return self._read_connection_files()
                except (OSError, ValueError) as e:
                    problem = e
                if stopped.done():
                    raise RuntimeError(self._why_it_stopped())
                if time.monotonic() > deadline:
                    raise TimeoutError(
                        f"No connection files from the controller in {timeout:g} seconds: {problem}"
                    )
                await asyncio.wait([stopped], timeout=FILE_POLL_SECONDS)
        finally:
            self.log_failure = True
            stopped.cancel()

    def _read_connection_files(self) -> dict[str, dict[str, Any]]:
        files = self.connection_files
        return {
            "client": _read(files["client"], connection.ClientInfo),
            "engine": _read(files["engine"], connection.EngineInfo),
        }

    def _why_it_stopped(self) -> str:
        return (
            f"The controller stopped ({self.stop_data}). The end of its output:\n"
            f"{self.output_tail() or '(nothing)'}"
        )


def _read(path: Path, kind: Any) -> dict[str, Any]:
    content = json.loads(path.read_bytes())
    # checked, but handed on whole: it may say more than we know of
    connection.from_dict(content, kind, f"Connection file {str(path)!r}")
    found: dict[str, Any] = content
    return found


class EngineLauncher(BaseLauncher):
    """Starts one engine or, as an engine set, several."""

    name = "ipengine"

    engine_cmd = List(
        Unicode(), ipengine_cmd_argv, help="The engine's command, without arguments."
    ).tag(config=True)
    engine_args = List(Unicode(), help="Arguments for the engines.").tag(config=True)
    n = Integer(1, help="How many engines.").tag(config=True, to_dict=True)
    resources = Resources(
        help="How much each engine has of what tasks may ask for: a dict, or a list of them, one"
        " for each engine; see `Cluster.resources`.",
    ).tag(config=True, to_dict=True)
    restart = CaselessStrEnum(
        [NEVER, ON_FAILURE],
        NEVER,
        help="Whether an engine that dies is started again; see `Cluster.engine_restart`.",
    ).tag(config=True, to_dict=True)
    engine_set_id = Unicode(help="Which of the cluster's engine sets it is.").tag(to_dict=True)

    #: Whether `restart_in_place` is there.
    restarts_in_place = False
    #: Whether what it starts waits for the connection file by itself, so that it can be started
    #: together with the controller. If not, it is started when the file is there.
    waits_for_connection_file = False

    def _identifier_default(self) -> str:
        text: str = super()._identifier_default()
        if not self.engine_set_id:
            return text
        base, _, pid = text.rpartition("-")
        return f"{base}-{self.engine_set_id}-{pid}"

    def find_args(self) -> list[str]:
        """The engine's command line."""
        args = [*self.engine_cmd, *self.cluster_args, *self.engine_args]
        if self.resources:
            args.append(f"--resources={json.dumps(self.resources)}")
        if self.restart != NEVER:
            args.append(f"--restart={self.restart}")
        return args

    async def start(self, n: int = 1) -> Any:
        """Start `n` engines."""
        return await super().start(n)

    async def restart_in_place(self) -> None:
        """Have all engines killed, and others started in their places, under the same ids."""
        raise NotImplementedError(f"{type(self).__name__} cannot restart engines in their places")
