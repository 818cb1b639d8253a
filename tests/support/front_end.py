"""The front end of a kernel: runs cells, and takes part in comms, as a notebook does."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from jupyter_client.manager import KernelManager

from .processes import our_environment

Message = dict[str, Any]

#: Seconds to wait for anything.
_TIMEOUT = 30.0


class FrontEnd:
    """A new kernel and the front end of it.

    Parameters
    ----------
    folder : Path
        Where the kernel runs, and writes its log and IPython's files.
    """

    def __init__(self, folder: Path) -> None:
        self.log = folder / "kernel.log"
        #: All that the kernel has published, in the order in which it came.
        self.seen: list[Message] = []
        self._manager = KernelManager(kernel_name="python3")
        with self.log.open("wb") as log:
            self._manager.start_kernel(
                cwd=str(folder),
                env={**our_environment(), "IPYTHONDIR": str(folder / "ipython")},
                stdout=log,
                stderr=log,
            )
        self._client = self._manager.client()
        self._client.start_channels()
        self._client.wait_for_ready(timeout=_TIMEOUT)

    def close(self) -> None:
        """End the kernel."""
        self._client.stop_channels()
        self._manager.shutdown_kernel(now=True)
        self._manager.cleanup_resources()

    def run(self, code: str) -> list[Message]:
        """Run a cell; what was published for it until it had ended.

        Raises
        ------
        AssertionError
            It failed.
        """
        cell = self._client.execute(code)
        messages = self.until_idle(cell)
        for message in messages:
            assert message["msg_type"] != "error", "\n".join(message["content"]["traceback"])
        return messages

    def value(self, expression: str) -> str:
        """The repr of an expression, in the kernel."""
        (result,) = of_type("execute_result", self.run(expression))
        return str(result["content"]["data"]["text/plain"])

    def send(self, msg_type: str, content: Message, buffers: list[bytes] | None = None) -> str:
        """Send a message on the shell channel; its id."""
        session = self._client.session
        message = session.send(
            self._client.shell_channel.socket, msg_type, content, buffers=buffers
        )
        return str(message["header"]["msg_id"])

    def until_idle(self, msg_id: str) -> list[Message]:
        """Wait until a message has been handled; what was published for it."""
        start = len(self.seen)
        self.wait_for(
            lambda m: (
                m["msg_type"] == "status"
                and m["content"]["execution_state"] == "idle"
                and m["parent_header"].get("msg_id") == msg_id
            )
        )
        return caused_by(msg_id, self.seen[start:])

    def wait_for(self, condition: Callable[[Message], bool]) -> Message:
        """The next message published of which this is true."""
        deadline = time.monotonic() + _TIMEOUT
        start = len(self.seen)
        while True:
            left = deadline - time.monotonic()
            assert left > 0, f"waited in vain; since then came {self.seen[start:]}"
            if not self._client.iopub_channel.socket.poll(int(left * 1000) + 1):
                continue
            message = self._client.get_iopub_msg(timeout=left)
            self.seen.append(message)
            if condition(message):
                return message


def of_type(msg_type: str, messages: list[Message]) -> list[Message]:
    """Those of this type."""
    return [message for message in messages if message["msg_type"] == msg_type]


def caused_by(msg_id: str, messages: list[Message]) -> list[Message]:
    """Those with this message as parent."""
    return [m for m in messages if m["parent_header"].get("msg_id") == msg_id]
