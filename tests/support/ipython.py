"""IPython as users have it: a shell in this process, a kernel, a terminal."""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

ANSI = re.compile(r"\x1b\[[0-9;?]*[a-zA-Z]")

#: Seconds that a cell, or a prompt, may take.
TIMEOUT = 30


@contextmanager
def shell_in_process() -> Iterator[Any]:
    """A terminal shell of IPython that runs cells when it is told to."""
    from IPython.core.async_helpers import get_asyncio_loop
    from IPython.terminal.interactiveshell import TerminalInteractiveShell
    from traitlets.config import Config

    config = Config()
    config.HistoryManager.enabled = False
    config.InteractiveShell.colors = "nocolor"
    shell = TerminalInteractiveShell.instance(config=config)
    try:
        yield shell
    finally:
        shell.restore_sys_module_state()
        TerminalInteractiveShell.clear_instance()
        get_asyncio_loop().close()


class Kernel:
    """A Jupyter kernel, and what its cells showed."""

    def __init__(self) -> None:
        from jupyter_client.manager import start_new_kernel

        self._manager, self.client = start_new_kernel(startup_timeout=TIMEOUT)

    def stop(self) -> None:
        """End the kernel."""
        from jupyter_core.utils import ensure_event_loop

        self.client.stop_channels()
        self._manager.shutdown_kernel()
        self._manager.cleanup_resources()
        ensure_event_loop().close()

    def interrupt(self) -> None:
        """What the stop button does."""
        os.kill(self._manager.provisioner.pid, signal.SIGINT)

    def run(self, cell: str, *, check: bool = True, seen: Any = None) -> list[dict[str, Any]]:
        """Run a cell.

        Parameters
        ----------
        check : bool
            Whether it has to succeed.
        seen : callable, optional
            Called with each message as it comes.

        Returns
        -------
        list of dict
            What it showed: messages of the iopub channel that are its own.
        """
        shown: list[dict[str, Any]] = []

        def hook(message: dict[str, Any]) -> None:
            if message["msg_type"] not in ("status", "execute_input"):
                shown.append(message)
                if seen is not None:
                    seen(message)

        reply = self.client.execute_interactive(
            cell, timeout=TIMEOUT, output_hook=hook, allow_stdin=False
        )
        if check:
            assert reply["content"]["status"] == "ok", (cell, shown)
        return shown


def kinds(shown: list[dict[str, Any]]) -> list[str]:
    """The types of messages."""
    return [message["msg_type"] for message in shown]


def plain(message: dict[str, Any]) -> str:
    """The text of a message, without colors."""
    content = message["content"]
    if message["msg_type"] == "error":
        text = "\n".join(content["traceback"])
    elif message["msg_type"] == "stream":
        text = content["text"]
    else:
        text = content["data"]["text/plain"]
    return ANSI.sub("", text)
