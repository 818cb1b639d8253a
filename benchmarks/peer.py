"""The benchmark's side of the conversation with a driver, and its end whatever happens."""

import contextlib
import json
import os
import select
import subprocess
import time
import uuid
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import psutil

from benchmarks.memory import MARK, marked

ROOT = Path(__file__).resolve().parent.parent


class PeerError(Exception):
    """A driver ended, or did not answer in time; its log's last lines are in the message."""


@dataclass(frozen=True, slots=True)
class Spec:
    """How a subject is run.

    Parameters
    ----------
    name
        Its key in the results.
    python
        The interpreter that has it.
    module
        The driver.
    keep_path
        Whether PYTHONPATH is passed on. Never to the published package: it would import ours.
    """

    name: str
    python: str
    module: str
    keep_path: bool = True


class Peer:
    """A driver in a process of its own, with folders of its own.

    It is a context manager. Leaving it stops the driver and then ends every process that the
    driver started and left behind; those are named in `orphans`.

    Parameters
    ----------
    spec
        What to run.
    home
        A new folder for its files: short, since socket paths are limited to about 100 bytes.
    """

    def __init__(self, spec: Spec, home: Path) -> None:
        self.spec = spec
        self.orphans: list[str] = []
        self.mark = uuid.uuid4().hex
        home.mkdir()
        self._log = home / "driver.log"
        env = {
            **os.environ,
            MARK: self.mark,
            "IPYTHONDIR": str(home / "ipython"),
            "DASK_TEMPORARY_DIRECTORY": str(home),
        }
        if not spec.keep_path:
            env.pop("PYTHONPATH", None)
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [spec.python, "-m", spec.module],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                cwd=ROOT,
                env=env,
                text=True,
                start_new_session=True,  # an interrupt is for us; we stop the driver in order
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def pid(self) -> int:
        """The driver's process id: the client."""
        return self._process.pid

    def call(self, do: str, *, timeout: float = 60, **arguments: object) -> Any:
        """Have the driver do one thing and return what it answers.

        Parameters
        ----------
        do
            A method of the driver's subject.
        timeout
            Seconds to wait for the answer.
        **arguments
            For that method.

        Raises
        ------
        PeerError
            When there is no answer.
        """
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            print(json.dumps({"do": do, **arguments}), file=self._process.stdin, flush=True)
        except BrokenPipeError:
            raise PeerError(self._why(f"ended before {do}")) from None
        # One line is answered to one command, so nothing waits unseen in the reader's buffer.
        ready, _, _ = select.select([self._process.stdout], [], [], timeout)
        if not ready:
            raise PeerError(self._why(f"did not finish {do} in {timeout:g} s"))
        line = self._process.stdout.readline()
        if not line:
            raise PeerError(self._why(f"ended in {do}"))
        return json.loads(line)["value"]

    def processes(self) -> dict[int, int]:
        """Return the parent's id of each process that the driver started, without the driver."""
        found = marked(self.mark)
        found.pop(self.pid, None)
        return found

    def close(self, timeout: float = 30, grace: float = 3) -> None:
        """Stop the driver, then whatever it left behind.

        Parameters
        ----------
        timeout
            Seconds for the driver to stop its cluster.
        grace
            Seconds for the cluster's last processes to follow it.
        """
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        with contextlib.suppress(BrokenPipeError):  # where it has ended by itself
            self._process.stdin.close()  # the driver takes the end of its input as "stop"
        try:
            self._process.wait(timeout)
        except subprocess.TimeoutExpired:
            self.orphans.append(f"{self.pid} (the driver itself, after {timeout:g} s)")
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()
        deadline = time.monotonic() + grace
        while marked(self.mark) and time.monotonic() < deadline:
            time.sleep(0.05)
        # Again and again, since one that is being ended may just have started another.
        while left := marked(self.mark):
            for pid in left:
                self._end(pid)

    def _end(self, pid: int) -> None:
        try:
            process = psutil.Process(pid)
            self.orphans.append(f"{pid} ({' '.join(process.cmdline())[:80]})")
            process.kill()
            process.wait(5)
        except psutil.NoSuchProcess:
            self.orphans.append(f"{pid} (late)")
        except psutil.TimeoutExpired:
            raise PeerError(f"process {pid} of {self.spec.name} could not be ended") from None

    def _why(self, what: str) -> str:
        lines = self._log.read_text(encoding="utf-8", errors="replace").splitlines()
        tail = "\n".join(f"    | {line}" for line in lines[-8:])
        return f"{self.spec.name} {what}" + (f"\n{tail}" if tail else "")
