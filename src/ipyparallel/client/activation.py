"""Which client the ``%px`` magics of this IPython session belong to.

The first client has them without being asked. It is not kept alive for that: when it is gone, or
closed, the last one that is still there follows. A view that the user has activated is kept.
"""

from __future__ import annotations

import sys
import warnings
from typing import TYPE_CHECKING, Any

from .ipython import get_shell
from .open_clients import default_view, forget, remember

if TYPE_CHECKING:
    from .client import Client
    from .views.direct import DirectView


def activate_view(view: DirectView, suffix: str = "") -> None:
    """Make ``%px<suffix>``, and the other magics, those of this view.

    Warns if this is no IPython session.
    """
    shell = get_shell()
    if shell is None:
        warnings.warn(
            "The magics of ipyparallel (%px, %autopx, ...) are there in IPython only", stacklevel=3
        )
        return
    from .magics import ParallelMagics

    shell.register_magics(ParallelMagics(shell, view, suffix))
    # those that it replaces would be held, and their client with them, as long as the shell lives
    used = [getattr(m, "__self__", None) for m in shell.magics_manager.magics["line"].values()]
    shell.configurables[:] = [
        it for it in shell.configurables if not isinstance(it, ParallelMagics) or it in used
    ]


def activate_if_first(client: Client, shell: Any) -> None:
    """Give the magics to a client that was just made, unless somebody has them."""
    from .magics import ParallelMagics

    remember(client)
    magic = shell.find_line_magic("px")
    owner = getattr(magic, "__self__", None)
    if magic is None or (isinstance(owner, ParallelMagics) and owner.is_released):
        shell.register_magics(ParallelMagics(shell, default_view(client), keep=False))


def release(client: Client) -> None:
    """A client was closed: its magics keep nothing of it."""
    forget(client)
    shell = get_shell()
    if shell is None or "ipyparallel.client.magics" not in sys.modules:
        return
    from .magics import ParallelMagics

    for magic in list(shell.magics_manager.magics["line"].values()):
        owner = getattr(magic, "__self__", None)
        if isinstance(owner, ParallelMagics):
            owner.release(client)
