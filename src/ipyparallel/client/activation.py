"""Which client the ``%px`` magics of this IPython session belong to."""

from __future__ import annotations

import sys
import warnings
from typing import TYPE_CHECKING, Any

from ..error import CompositeError
from .execute_reply import running_shell

if TYPE_CHECKING:
    from .client import Client
    from .views.direct import DirectView


def activate_view(view: DirectView, suffix: str = "") -> None:
    """Make ``%px<suffix>``, and the other magics, those of this view.

    Warns if this is no IPython session.
    """
    shell = running_shell()
    if shell is None:
        warnings.warn(
            "The magics of ipyparallel (%px, %autopx, ...) are there in IPython only", stacklevel=3
        )
        return
    from .magics import ParallelMagics

    shell.register_magics(ParallelMagics(shell, view, suffix))


def activate_if_first(client: Client) -> None:
    """Give the magics to a client that was just made, unless somebody has them.

    A client that was closed has them no more. Does nothing outside IPython.
    """
    shell = running_shell()
    if shell is None:
        return
    _show_composite_errors(shell)
    from .magics import ParallelMagics

    magic = shell.find_line_magic("px")
    owner = getattr(magic, "__self__", None)
    if magic is None or (isinstance(owner, ParallelMagics) and owner.is_released):
        client.activate()


def release(client: Client) -> None:
    """A client was closed: its magics keep nothing of it. They say so when they are used."""
    shell = running_shell()
    if shell is None or "ipyparallel.client.magics" not in sys.modules:
        return
    from .magics import ParallelMagics

    for magic in list(shell.magics_manager.magics["line"].values()):
        owner = getattr(magic, "__self__", None)
        if isinstance(owner, ParallelMagics):
            owner.release(client)


def _show_composite_errors(shell: Any) -> None:
    """Have the shell show the remote tracebacks of several engines.

    It would leave an `ExceptionGroup` to Python, which prints where the error was raised here, and
    in a notebook prints it as text: frontends would not learn that the cell failed.
    """
    if not shell.custom_exceptions:  # there is only one handler; that of the user comes first
        shell.set_custom_exc((CompositeError,), show_remote_error)


def show_remote_error(
    shell: Any, kind: Any, error: CompositeError, traceback: Any, tb_offset: Any = None
) -> list[str]:
    """See `InteractiveShell.set_custom_exc`."""
    lines = error.render_traceback()
    shell._get_exc_info((kind, error, traceback))  # for %debug
    shell._showtraceback(kind, error, lines)
    if shell.call_pdb:
        shell.debugger(force=True)
    return lines
