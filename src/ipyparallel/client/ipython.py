"""The IPython that the client lives in, if it does."""

from __future__ import annotations

import sys
from typing import Any

from ..error import RemoteError, without_colors


def get_shell() -> Any:
    """The running IPython shell, or None. IPython is not imported to find out."""
    ipython = sys.modules.get("IPython")
    return None if ipython is None else ipython.get_ipython()


def get_kernel() -> Any:
    """The Jupyter kernel this code runs in, whose output is shown in the cells of a frontend.

    None if it runs elsewhere.
    """
    return getattr(get_shell(), "kernel", None)


def show_remote_errors(shell: Any) -> None:
    """Have IPython show remote errors by their remote tracebacks.

    It would do so for one of its own accord (``_render_traceback_``), but not for a group of them,
    nor for one that was raised while a group was handled: those it leaves to Python.
    """
    others, show_others = shell.custom_exceptions, shell.CustomTB
    if RemoteError in others:
        return

    def show(shell: Any, kind: Any, value: Any, tb: Any, tb_offset: Any = None) -> Any:
        if not isinstance(value, RemoteError):
            return show_others(kind, value, tb, tb_offset)
        return show_remote_error(shell, value)

    shell.set_custom_exc((*others, RemoteError), show)


def show_remote_error(shell: Any, error: RemoteError) -> list[str]:
    """Show the remote traceback, as the shell shows local ones; its lines."""
    shell._get_exc_info((type(error), error, error.__traceback__))  # for %debug
    lines = error._render_traceback_()
    if str(getattr(shell, "colors", "")).lower() == "nocolor":
        lines = [without_colors(line) for line in lines]
    shell._showtraceback(type(error), error, lines)
    if shell.call_pdb:
        shell.debugger(force=True)
    return lines
