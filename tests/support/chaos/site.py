"""A cluster to which troubles happen: a controller, hosts with engines, clients, two networks."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil

from ..network import Network
from ..processes import Controller, Engines, Process, our_environment, port_range, wait_until
from . import load
from .troubles import Trouble

#: Engines on each host.
PER_HOST = 2

#: Engines that there are to be, as long as the troubles leave them alone.
ENGINES = 6

#: Beats of the heart that may be missed, and how many milliseconds each takes: a pause is shorter.
_HEART = ("--ping=500", "--HeartMonitor.max_heartmonitor_misses=12")

#: A controller that can be started again, and does not wait long for hosts that died meanwhile.
_RESTORE = ("--restore", "--sqlitedb", "--IPController.restore_wait=5")

#: Engines that are replaced, however often they die.
_RESTART = (
    "--restart=on-failure",
    "--IPEngine.restart_limit=1000",
    "--IPEngine.restart_delay=0.1",
)

#: Run by each engine before it is ready: leaves its process id, to tell engines from agents.
_STARTUP = "import os, pathlib; (pathlib.Path({folder!r}) / str(os.getpid())).touch()"


class Host(Engines):
    """A supervisor, its agent and its engines.

    Parameters
    ----------
    restarts : bool
        Whether engines that die are replaced.
    """

    def __init__(self, folder: Path, file: Path, restarts: bool) -> None:
        self._restarts = restarts
        self._pids = folder / "pids"
        self._pids.mkdir(exist_ok=True)
        command = _STARTUP.format(folder=str(self._pids))
        # a controller that is paused does not answer for a while
        options = [f"-n={PER_HOST}", f"-c={command}", "--timeout=20"]
        super().__init__(folder, file, *options, *(_RESTART if restarts else ()))

    def engines(self) -> list[psutil.Process]:
        """Those that have started."""
        return [p for p in self._living() if (self._pids / str(p.pid)).exists()]

    def agents(self) -> list[psutil.Process]:
        """One, usually."""
        return [p for p in self._living() if not (self._pids / str(p.pid)).exists()]

    def capacity(self) -> int:
        """How many engines it has, or is starting."""
        if not self.running:
            return 0
        is_starting = self._restarts or self.text.count("is ready") < PER_HOST
        return PER_HOST if is_starting else len(self.engines())

    def wait_complete(self) -> None:
        """Wait until it has all engines that it is to have, or has ended."""
        wait_until(
            lambda: not self.running or len(self.engines()) >= self.capacity(),
            "engines that were starting",
            more=lambda: self.text,
        )

    def _living(self) -> list[psutil.Process]:
        return [p for p in self.children() if _lives(p)]


class LoadClient(Process):
    """A process that submits tasks; see `load`.

    Parameters
    ----------
    keeps : bool
        Whether it keeps what it has sent, as those do whose controller may be started again.
    """

    def __init__(self, folder: Path, file: Path, number: int, seed: int, keeps: bool) -> None:
        self.number = number
        self.report = folder / f"report-{number}.json"
        argv = [sys.executable, "-W", "error", load.__file__, str(file), str(seed)]
        argv += [str(folder / "stop"), str(self.report), "keeps" if keeps else ""]
        super().__init__(argv, folder / f"client-{number}.log", our_environment())


class Site:
    """All of it.

    Parameters
    ----------
    folder : Path
        Gets logs, reports and the controller's profile.
    seed : int
        For the clients' tasks.
    restore : bool
        Whether a controller that dies is started again, and goes on.
    """

    def __init__(self, folder: Path, seed: int, *, restore: bool = False) -> None:
        self.folder = folder
        #: What happened, with times.
        self.log: list[str] = []
        self._seed = seed
        self._began = time.monotonic()
        self._links: list[Network] = []
        self.hosts: list[Host] = []
        self.clients: list[LoadClient] = []
        self._started = 0
        self._later: list[tuple[float, str, Callable[[], None]]] = []
        self._restores = restore
        self._options = (*_HEART, *((*_RESTORE, f"--ports={port_range()}") if restore else ()))
        self.controller = Controller(folder, *self._options)
        try:
            for file in (self.controller.engine_file, self.controller.client_file):
                self._links.append(Network(file, f"127.0.0.{2 + len(self._links)}"))
            self.engines_link, self.clients_link = self._links
            for _ in range(ENGINES // PER_HOST):
                self._start_host()
            for host in self.hosts:
                host.wait_ready(PER_HOST)
            for _ in range(3):
                self._start_client()
        except BaseException:
            self.end()
            raise

    # ---- what happens

    def note(self, what: str) -> None:
        """Add a line to the log."""
        self.log.append(f"{time.monotonic() - self._began:6.2f} {what}")

    def run(self, troubles: list[Trouble]) -> None:
        """Have all of this happen, each at its time."""
        self._began = time.monotonic()
        for trouble in troubles:
            self._pass_time(trouble.at)
            self._happen(trouble)
            self._top_up()

    def calm(self) -> None:
        """Have everything that lasts be over, and all engines be there."""
        self._pass_time(float("inf"))
        for _ in range(2):
            for host in self.hosts:
                host.wait_complete()
            self._top_up()

    def stop_clients(self) -> list[dict[str, Any]]:
        """Have the clients stop; what they report, in the end."""
        (self.folder / "stop").touch()
        reports = []
        for client in self.clients:
            code = client.wait(load.PATIENCE + 20)
            assert code == 0, f"client {client.number} failed:\n{client.text}"
            reports.append(json.loads(client.report.read_text()))
        return reports

    def engine_count(self) -> int:
        """Engine processes that live."""
        return sum(len(host.engines()) for host in self.hosts)

    def end(self) -> None:
        """End it all, whatever state it is in."""
        for _, _, undo in self._later:
            undo()
        for process in (*self.clients, *self.hosts, self.controller):
            process.end()
        for link in self._links:
            link.close()

    def _pass_time(self, until: float) -> None:
        """Sleep until then, and end what is to end before."""
        while True:
            self._later.sort(key=lambda entry: entry[0])
            upto = min(until, self._later[0][0]) if self._later else until
            if upto == float("inf"):
                return
            time.sleep(max(0.0, self._began + upto - time.monotonic()))
            if upto == until:
                return
            _, what, undo = self._later.pop(0)
            undo()
            self.note(f"  over: {what}")

    def _happen(self, trouble: Trouble) -> None:
        verb, _, what = trouble.kind.partition(" ")
        if what.endswith("link"):
            self._trouble_link(verb, what, trouble)
            return
        candidates = self._candidates(what.partition(" ")[2])
        if not candidates:
            return
        victim = candidates[int(trouble.which * len(candidates))]
        if trouble.kind == "kill the controller":
            self._kill_controller(trouble)
        elif verb == "kill":
            self._kill(what, victim)
        else:
            self._pause(what, victim, trouble)

    def _candidates(self, what: str) -> list[Any]:
        running = [host for host in self.hosts if host.running]
        match what:
            case "engine":
                return [engine for host in running for engine in host.engines()]
            case "agent":
                return [agent for host in running for agent in host.agents()]
            case "supervisor":
                return [psutil.Process(host.pid) for host in running]
            case "host":
                return running
            case "controller":
                return [psutil.Process(self.controller.pid)] if self.controller.running else []
            case _:
                return self.clients

    def _kill(self, what: str, victim: Any) -> None:
        self.note(f"{what} is killed: {victim.pid}")
        if isinstance(victim, Host):
            family = [psutil.Process(victim.pid), *victim.children()]
        else:
            family = [psutil.Process(victim.pid)]
        for process in family:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        if isinstance(victim, LoadClient):
            victim.wait()
            self.clients.remove(victim)
            self._start_client()

    def _kill_controller(self, trouble: Trouble) -> None:
        if not self.controller.running:
            return  # not back yet
        self.note(f"the controller is killed, for {trouble.lasts:.1f} s: {self.controller.pid}")
        self.controller.kill()
        self._undo_after(trouble, "the controller's death", self._start_controller)

    def _start_controller(self) -> None:
        self.controller = Controller(self.folder, *self._options)

    def _pause(self, what: str, victim: Any, trouble: Trouble) -> None:
        process = psutil.Process(victim.pid)
        self.note(f"{what} is paused for {trouble.lasts:.1f} s: {victim.pid}")
        process.suspend()

        def resume() -> None:
            with suppress(psutil.NoSuchProcess):
                process.resume()

        self._undo_after(trouble, f"pause of {victim.pid}", resume)

    def _trouble_link(self, verb: str, what: str, trouble: Trouble) -> None:
        link = self.engines_link if "engines" in what else self.clients_link
        if verb == "drop":
            self.note(f"{what}: connections are dropped")
            link.drop()
        else:
            self.note(f"{what} freezes for {trouble.lasts:.1f} s")
            link.freeze()
            self._undo_after(trouble, f"{what}'s freeze", link.mend)

    def _undo_after(self, trouble: Trouble, what: str, undo: Callable[[], None]) -> None:
        self._later.append((trouble.at + trouble.lasts, what, undo))

    # ---- what replaces what was lost

    def _top_up(self) -> None:
        while ENGINES - sum(host.capacity() for host in self.hosts) >= PER_HOST:
            self._start_host()

    def _start_host(self) -> None:
        is_far = len(self.hosts) % 2 == 1
        restarts = len(self.hosts) % 3 == 1
        file = self.engines_link.file if is_far else self.controller.engine_file
        self.hosts.append(Host(self.folder, file, restarts))
        where = " behind the link" if is_far else ""
        how = ", restarts engines" if restarts else ""
        self.note(f"a host starts{where}{how}: {self.hosts[-1].pid}")

    def _start_client(self) -> None:
        is_far = self._started % 2
        file = self.clients_link.file if is_far else self.controller.client_file
        self._started += 1
        seed = self._seed * 1000 + self._started
        self.clients.append(LoadClient(self.folder, file, self._started, seed, self._restores))
        self.note(f"a client starts{' behind the link' if is_far else ''}: {self.clients[-1].pid}")


def _lives(process: psutil.Process) -> bool:
    try:
        return process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
