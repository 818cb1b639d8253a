"""Controller and engines as processes of this host."""

from __future__ import annotations

import signal
import weakref
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import Any, Self

from traitlets import Bool, Float, Integer, Unicode

from ...engine.restarts import RESTART_SIGNAL
from ...protocol import profiles
from ..profile_config import load_config
from .base import BaseLauncher, NotRunning, StopData, outcome
from .process import WINDOWS, LocalProcess
from .roles import ControllerLauncher, EngineLauncher, mentions

#: Options that ask for connections from elsewhere, which only TCP provides.
_TCP_OPTIONS = (
    *("ip", "engine_ip", "client_ip", "location", "transport", "engine_transport"),
    *("client_transport", "port", "ports", "regport", "engine_ports", "client_ports"),
    *("ssh", "ssh_server", "enginessh", "engine_ssh_server"),
)
_REUSE_OPTIONS = ("reuse", "reuse_files", "restore", "restore_engines")


class LocalProcessLauncher(BaseLauncher):
    """Starts a process on this host, and everything it starts ends with it."""

    stop_seconds_until_kill = Float(
        5, help="Seconds to wait for the end after asking for it, before killing."
    ).tag(config=True)
    kept_logs = Integer(
        100, help="How many log files of earlier processes of this kind to keep."
    ).tag(config=True)
    pid = Integer(-1, help="Its process id.").tag(to_dict=True)
    output_file = Unicode(help="The file of all that it says.").tag(to_dict=True)

    is_local = True
    #: Whether the process is to end with this one, however this one ends.
    lifeline = False
    _process: LocalProcess | None = None

    def _output_file_default(self) -> str:
        folder = profiles.log_folder(self.profile_dir)
        folder.mkdir(parents=True, exist_ok=True)
        # a file for each start: what a failed one said must not get lost
        path, again = folder / f"{self.identifier}.log", 1
        while path.exists():
            path, again = folder / f"{self.identifier}.{again}.log", again + 1
        return str(path)

    async def start(self, *args: Any, **kwargs: Any) -> None:
        """Start the process."""
        self.require_state("before")
        self._drop_old_logs()
        self.log.debug("Running %s, output in %s", self.arg_str, self.output_file)
        process = LocalProcess.start(
            self.args,
            env=self.get_env(),
            cwd=self.work_dir,
            output=Path(self.output_file),
            lifeline=self.lifeline,
        )
        self._follow(process)

    def _drop_old_logs(self) -> None:
        logs = Path(self.output_file).parent.glob(f"{self.name}-*.log")
        newest_first = sorted(logs, key=_modified, reverse=True)
        for path in newest_first[max(self.kept_logs, 0) :]:
            path.unlink(missing_ok=True)

    def _follow(self, process: LocalProcess) -> None:
        self._process, self.pid = process, process.pid
        self.notify_start(process.pid)
        # weakly, or the waiting thread would keep a forgotten cluster alive
        process.ended.add_done_callback(_weak_callback(weakref.WeakMethod(self._process_ended)))

    def _process_ended(self, ended: Future[int | None]) -> None:
        data = {"exit_code": ended.result(), "pid": self.pid, "identifier": self.identifier}
        failed = data["exit_code"] not in (0, None, -signal.SIGTERM)
        if failed and self.log_failure and not self.stop_asked:
            self.log.warning(
                "%s failed with exit code %s. The end of its output (all of it is in %s):\n%s",
                self.identifier,
                data["exit_code"],
                self.output_file,
                self.output_tail(),
            )
        self.notify_stop(data)

    async def join(self, timeout: float | None = None) -> StopData:
        """Wait for its end."""
        if self._process is not None:
            await outcome(self._process.ended, timeout)
            # the callback may not come any more for a launcher that is being collected
            if self.stop_data is None:
                self._process_ended(self._process.ended)
        return await super().join(timeout)

    async def signal(self, sig: int) -> None:
        """Send a signal to the process."""
        if self._process is not None:
            self._process.send_signal(sig)

    async def stop(self) -> StopData | None:
        """Ask it to end; kill it, with all it has started, if it does not."""
        if self._process is None or not self.running:
            return self.stop_data
        self.stop_asked = True
        self._process.terminate()
        try:
            return await self.join(self.stop_seconds_until_kill)
        except TimeoutError:
            self.log.warning(
                "%s did not end in %g seconds: killing it",
                self.identifier,
                self.stop_seconds_until_kill,
            )
        self._process.kill()
        return await self.join(self.stop_timeout)

    def get_output(self, remove: bool = False) -> str:
        """What it wrote so far, from its log file."""
        path = Path(self.output_file)
        try:
            text = path.read_text(encoding="utf-8", errors="replace")
        except FileNotFoundError:
            return ""
        if remove:
            path.unlink(missing_ok=True)
        return text

    @classmethod
    def from_dict(
        cls, d: dict[str, Any], *, config: Any = None, parent: Any = None, **kwargs: Any
    ) -> Self:
        """Find a process again by its pid.

        Raises
        ------
        NotRunning
            It ended; or the number now belongs to a process that is none of ours.
        """
        launcher = super().from_dict(d, config=config, parent=parent, **kwargs)
        try:
            process = LocalProcess.attach(launcher.pid)
        except LookupError as e:
            raise NotRunning(str(e)) from None
        launcher._follow(process)
        return launcher


def _modified(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except FileNotFoundError:
        return 0.0


def _weak_callback(
    method: weakref.WeakMethod[Callable[[Future[int | None]], None]],
) -> Callable[[Future[int | None]], None]:
    def callback(ended: Future[int | None]) -> None:
        if (alive := method()) is not None:
            alive(ended)

    return callback


class LocalControllerLauncher(LocalProcessLauncher, ControllerLauncher):
    """Starts a controller on this host."""

    entrypoint_name = "local"

    transport = Unicode(
        "", help="'tcp' or 'ipc'; by default ipc where nobody connects from elsewhere."
    ).tag(config=True)
    engines_are_local = Bool(False, help="Whether the cluster's engines are on this host, too.")

    def find_args(self) -> list[str]:
        """The controller's command line."""
        transport = self.transport
        if (
            not transport
            and self.engines_are_local
            and not WINDOWS
            and not self._sets(_TCP_OPTIONS)
        ):
            transport = "ipc"
        args = super().find_args()
        if transport:
            args.append(f"--transport={transport}")
        if self.lifeline:
            args.append("--IPController.lifeline=True")
        return args

    def release(self) -> None:
        """Have the controller outlive this process after all."""
        if self._process is not None:
            self._process.release()

    def _sets(self, options: tuple[str, ...]) -> bool:
        """Whether the user sets one of these, by argument or in a configuration file."""
        if mentions(self.controller_args, options):
            return True
        config = load_config(self.profile_dir, "ipcontroller_config")
        config.merge(self.config)
        return any(config.IPController.get(option) for option in options)

    async def start(self, *args: Any, **kwargs: Any) -> None:
        """Start the controller."""
        self._forget_earlier()
        await super().start()

    async def stop(self) -> StopData | None:
        """Stop the controller."""
        was_running = self.running
        data = await super().stop()
        if was_running:
            # if it was killed, it could not do so itself
            self._forget_earlier()
        return data

    def _forget_earlier(self) -> None:
        if not self._sets(_REUSE_OPTIONS):
            self.remove_connection_files()


class LocalEngineLauncher(LocalProcessLauncher, EngineLauncher):
    """Starts one engine on this host."""

    waits_for_connection_file = True
    restarts_in_place = not WINDOWS

    async def start(self, n: int = 1) -> None:
        """Start the engines, which is to start their supervisor."""
        self.n = n
        await super().start()

    async def signal(self, sig: int) -> None:
        """Send a signal to the engines.

        The supervisor passes on what it gets, except that an interrupt ends it, as Ctrl-C in a
        terminal should; so interrupts go straight to the engines.
        """
        if sig == signal.SIGINT and self._process is not None:
            self._process.send_signal_to_children(sig)
        else:
            await super().signal(sig)

    async def restart_in_place(self) -> None:
        """Have the supervisor replace all engines."""
        if self._process is not None:
            self._process.send_signal(RESTART_SIGNAL)


class LocalEngineSetLauncher(LocalEngineLauncher):
    """Starts engines on this host: one supervisor process, which forks them."""

    entrypoint_name = "local"

    def find_args(self) -> list[str]:
        """The supervisor's command line."""
        return [*super().find_args(), "-n", str(self.n)]
