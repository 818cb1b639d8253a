"""Where output is shown: printed by a script, or by IPython, or in the cell of a notebook."""

from __future__ import annotations

import sys
from typing import Any

from ...error import CompositeError, RemoteError
from ..ipython import get_kernel, get_shell
from ..messaging.execute_reply import ExecuteReply
from .text import Prefixes


class Screen:
    """Shows things one below the other.

    Parameters
    ----------
    prefixed : bool
        Whether to say which engine something is from.
    """

    def __init__(self, prefixed: bool = True) -> None:
        self.rich = get_shell() is not None
        self._in_kernel = get_kernel() is not None
        self._prefixed = prefixed
        self._prefixes = Prefixes(one_screen=not self._in_kernel)
        self._errors = 0
        #: The stream that was written to last.
        self._written = ""

    # ---- text

    def text(self, engine: Any, stream: str, text: str) -> None:
        """Show what an engine has written to ``stdout`` or ``stderr``."""
        label = f"[{stream}:{engine}]" if self._prefixed else ""
        self._write(stream, self._prefixes.before_text(label, stream, text))

    def _write(self, stream: str, text: str) -> None:
        if not text:
            return
        if self._written != stream:
            self.flush()  # or it would be seen later than this
        self._written = stream
        _file(stream).write(text)

    def flush(self) -> None:
        """Have everything that was shown be seen."""
        if self._written:
            _file(self._written).flush()

    def _own_line(self, stream: str = "stdout") -> None:
        if not self._in_kernel or stream == "stderr":
            self._write(stream, self._prefixes.before_other(stream))

    # ---- what was displayed

    def label(self, engine: Any) -> None:
        """Say that displayed things of this engine follow."""
        if self._prefixed:
            self._display({"text/plain": f"[output:{engine}]"}, {})

    def display(self, engine: Any, content: dict[str, Any], *, update: bool = False) -> None:
        """Show what an engine has displayed.

        Parameters
        ----------
        content : dict
            Of the ``display_data`` message.
        update : bool
            Whether it takes the place of what was displayed under the same id.
        """
        metadata = {**content.get("metadata", {}), "engine": engine}
        transient = {
            key: value for key, value in content.get("transient", {}).items() if key == "display_id"
        }
        self._display(content["data"], metadata, transient=transient, update=update)

    def _display(self, data: dict[str, Any], metadata: dict[str, Any], **options: Any) -> None:
        self._own_line()
        if not self.rich:
            self._write("stdout", f"{data.get('text/plain', _kinds(data))}\n")
            return
        from IPython.display import publish_display_data

        publish_display_data(data, metadata, **options)

    def result(self, reply: ExecuteReply) -> None:
        """Show the value of the last expression."""
        self._own_line()
        if not self.rich:
            self._write("stdout", reply.as_text() + "\n")
            return
        from IPython.display import display

        display(reply)

    # ---- failures

    def error(self, error: BaseException) -> None:
        """Show a failure: with its traceback, unless there have been many before."""
        if not isinstance(error, RemoteError):
            text = f"{type(error).__name__}: {error}"
        elif self._errors >= CompositeError.tb_limit:
            text = str(error)
        else:
            text = "\n".join(error.render_traceback())
        self._errors += 1
        self._own_line("stderr")
        self._write("stderr", text + "\n")


def _file(stream: str) -> Any:
    # looked up each time: IPython, tests and contextlib replace them
    return sys.stderr if stream == "stderr" else sys.stdout


def _kinds(data: dict[str, Any]) -> str:
    """Stands for something that has no form as text."""
    return f"<{', '.join(data) or 'nothing'}>"
