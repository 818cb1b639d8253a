"""Controllers, engines and scripts as processes of their own, their output in files."""

from __future__ import annotations

import json
import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import psutil

SRC = Path(__file__).parents[2] / "src"

#: Seconds between looks at a condition.
_LOOK = 0.01

#: Seconds that a process has to end when it is told to, before it is killed.
_GRACE = 10.0


def wait_until(
    condition: Callable[[], Any], what: str = "", timeout: float = 60.0, more: Any = None
) -> Any:
    """Look until `condition` gives something true, and return that.

    Parameters
    ----------
    what : str
        For the failure: what was waited for.
    more : callable, optional
        Its result is told on failure, such as a log.
    """
    deadline = time.monotonic() + timeout
    while not (result := condition()):
        if time.monotonic() >= deadline:
            details = f"\n{more()}" if more is not None else ""
            raise AssertionError(f"waited {timeout:g} s in vain for {what or condition}{details}")
        time.sleep(_LOOK)
    return result


#: Ports in a range, and what keeps the ranges that were given to this process from others.
_PORTS = 20
_taken: list[socket.socket] = []


def port_range() -> str:
    """Twenty free ports, as ``first-last``, which the system gives to nobody who asks for any, and
    this function to no other process, as long as this one lives.

    For who wants to have the same ones again after a while.
    """
    lowest = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    while True:
        first = random.randrange(10_000, lowest - _PORTS, _PORTS)
        mark = socket.socket(socket.AF_UNIX)
        try:
            mark.bind(f"\0ipyparallel-tests-{first}")
        except OSError:
            mark.close()
            continue
        _taken.append(mark)
        sockets = [socket.socket() for _ in range(_PORTS)]
        try:
            for number, each in enumerate(sockets):
                each.bind(("127.0.0.1", first + number))
        except OSError:
            continue
        finally:
            for each in sockets:
                each.close()
        return f"{first}-{first + _PORTS - 1}"


def our_environment() -> dict[str, str]:
    """The environment for processes of this package."""
    return {**_clean_environment(), "PYTHONPATH": str(SRC)}


def peer_environment(folder: Path) -> dict[str, str]:
    """The environment for processes of the published package; nothing of ours is in it."""
    return {**_clean_environment(), "IPYTHONDIR": str(folder / "peer-ipython")}


def _clean_environment() -> dict[str, str]:
    return {
        name: value
        for name, value in os.environ.items()
        if name != "PYTHONPATH" and not name.startswith("IPP_")
    }


def marked(name: str, value: str) -> list[psutil.Process]:
    """The living processes that have this variable in their environment, but for this one."""
    found = []
    for process in psutil.process_iter():
        try:
            has_it = process.pid != os.getpid() and process.environ().get(name) == value
            if has_it and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
        except psutil.Error:
            continue  # it is gone meanwhile, or another user's
    return found


class Process:
    """A process that was started here, and its log.

    Parameters
    ----------
    log : Path
        Gets what the process writes to its standard output and error.
    """

    def __init__(self, argv: Sequence[str], log: Path, env: Mapping[str, str]) -> None:
        self.log = log
        with log.open("ab") as file:
            self._popen = subprocess.Popen(
                argv,
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                env=dict(env),
                cwd=log.parent,
            )
        self._family: set[psutil.Process] = set()

    @property
    def pid(self) -> int:
        return self._popen.pid

    @property
    def text(self) -> str:
        return self.log.read_text(errors="replace")

    @property
    def lines(self) -> list[str]:
        return self.text.splitlines()

    @property
    def running(self) -> bool:
        return self._popen.poll() is None

    def children(self) -> list[psutil.Process]:
        """The processes that descend from it; they belong to this object from now on."""
        try:
            children = psutil.Process(self.pid).children(recursive=True)
        except psutil.NoSuchProcess:
            return []
        self._family.update(children)
        return children

    def wait_for(self, text: str, timeout: float = 30.0) -> None:
        """Wait until `text` is in the log."""
        wait_until(
            lambda: text in self.text or not self.running, f"{text!r}", timeout, lambda: self.text
        )
        assert text in self.text, f"the process ended without saying {text!r}:\n{self.text}"

    def send_signal(self, number: signal.Signals) -> None:
        """Send a signal to it, and to no other."""
        self.children()
        self._popen.send_signal(number)

    def wait(self, timeout: float = _GRACE) -> int:
        """Wait for its end; the exit code."""
        return self._popen.wait(timeout)

    def kill(self) -> None:
        """Kill it, with no chance to tidy up."""
        self.send_signal(signal.SIGKILL)
        self.wait()

    def end(self) -> None:
        """End it, and what descends from it, whatever state they are in."""
        if self.running:
            self.send_signal(signal.SIGTERM)
            try:
                self.wait()
            except subprocess.TimeoutExpired:
                self.kill()
        # each of these is told apart from a later process of the same pid by when it began
        _, alive = psutil.wait_procs(list(self._family), timeout=5)
        for process in alive:
            process.kill()
        psutil.wait_procs(alive, timeout=5)


class Controller(Process):
    """A controller of this package, which listens when the constructor returns."""

    def __init__(self, folder: Path, *options: str, profile: str = "profile") -> None:
        self.profile = folder / profile
        # the log must not hold an earlier controller's "listens"
        log = folder / f"controller-{time.monotonic_ns()}.log"
        argv = [
            sys.executable,
            "-m",
            "ipyparallel.controller",
            f"--profile-dir={self.profile}",
            *options,
        ]
        super().__init__(argv, log, our_environment())
        try:
            self.wait_for("The controller listens on")
        except BaseException:
            self.end()
            raise

    @property
    def client_file(self) -> Path:
        return self.profile / "security" / "ipcontroller-client.json"

    @property
    def engine_file(self) -> Path:
        return self.profile / "security" / "ipcontroller-engine.json"

    def info(self) -> dict[str, Any]:
        """What the clients' connection file holds."""
        content: dict[str, Any] = json.loads(self.client_file.read_text())
        return content


class Engines(Process):
    """A supervisor of this package and its engines.

    Parameters
    ----------
    command : sequence of str
        What is run, in place of ``python -m ipyparallel.engine``.
    """

    def __init__(
        self,
        folder: Path,
        engine_file: Path,
        *options: str,
        command: Sequence[str] = (sys.executable, "-m", "ipyparallel.engine"),
    ) -> None:
        argv = [
            *command,
            f"--profile-dir={folder / 'engines'}",
            f"--file={engine_file}",
            *options,
        ]
        super().__init__(argv, folder / f"engines-{time.monotonic_ns()}.log", our_environment())

    def wait_ready(self, n: int = 1) -> None:
        """Wait until so many engines said that they are ready."""
        wait_until(
            lambda: self.text.count("is ready") >= n or not self.running,
            f"{n} engines",
            more=lambda: self.text,
        )
        assert self.running, self.text


class PeerEngine(Process):
    """A published engine, and its nanny."""

    def __init__(self, python: str, folder: Path, engine_file: Path) -> None:
        argv = [
            python,
            "-m",
            "ipyparallel.engine",
            f"--profile-dir={engine_file.parent.parent}",  # it must exist
            f"--file={engine_file}",
        ]
        log = folder / f"peer-engine-{time.monotonic_ns()}.log"
        super().__init__(argv, log, peer_environment(folder))

    def wait_ready(self) -> None:
        """Wait until it has registered; its nanny runs from then on."""
        self.wait_for("Completed registration", timeout=60)
        self.children()
