"""A published client in a process of its own, called from a test."""

from __future__ import annotations

import json
import queue
import subprocess
import threading
from pathlib import Path
from typing import Any

from .processes import peer_environment

_SCRIPT = Path(__file__).with_name("peer_client.py")


class PeerError(Exception):
    """The published client raised; `told` is what it says of the exception."""

    def __init__(self, told: dict[str, Any]) -> None:
        super().__init__(told)
        self.told = told


class PeerClient:
    """Calls the functions of ``peer_client.py``, one after the other."""

    def __init__(self, python: str, folder: Path) -> None:
        self.log = folder / "peer-client.log"
        with self.log.open("ab") as file:
            self._popen = subprocess.Popen(
                [python, str(_SCRIPT)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=file,
                env=peer_environment(folder),
                text=True,
            )
        self._answers: queue.Queue[str] = queue.Queue()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self._popen.stdout is not None
        for line in self._popen.stdout:
            self._answers.put(line)
        self._answers.put("")

    def call(self, do: str, *, timeout: float = 60.0, **arguments: Any) -> Any:
        """Have the client do something; what it returned.

        Raises
        ------
        PeerError
            It raised.
        """
        self.send(do, **arguments)
        return self.answer(timeout)

    def send(self, do: str, **arguments: Any) -> None:
        """Have the client do something; `answer` gives the result."""
        assert self._popen.stdin is not None
        self._popen.stdin.write(json.dumps({"do": do, **arguments}) + "\n")
        self._popen.stdin.flush()

    def answer(self, timeout: float = 60.0) -> Any:
        """The result of what was sent."""
        try:
            line = self._answers.get(timeout=timeout)
        except queue.Empty:
            raise AssertionError(f"no answer; the client's log:\n{self.log.read_text()}") from None
        assert line, f"the client ended:\n{self.log.read_text()}"
        answer = json.loads(line)
        if "error" in answer:
            raise PeerError(answer["error"])
        return answer["result"]

    def end(self) -> None:
        """End the process."""
        assert self._popen.stdin is not None
        assert self._popen.stdout is not None
        self._popen.stdin.close()
        try:
            self._popen.wait(10)
        except subprocess.TimeoutExpired:
            self._popen.kill()
            self._popen.wait()
        self._reader.join()
        self._popen.stdout.close()
