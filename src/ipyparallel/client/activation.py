"""Which client the ``%px`` magics of this IPython session belong to.

The first client has them without being asked. It is not kept alive for that: when it is gone, or
closed, the last one that is still there follows. A view that the user has activated is kept.
"""

from __future__ import annotations

import itertools
import sys
import warnings
import weakref
from typing import TYPE_CHECKING, Any

from .ipython import get_shell

if TYPE_CHECKING:
    from .client import Client
    from .magics import ParallelMagics
    from .views.direct import DirectView

#: The clients of this session that are open, by age.
_open_clients: weakref.WeakValueDictionary[int, Client] = weakref.WeakValueDictionary()
_ages = itertools.count()


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

    _register(shell, ParallelMagics(shell, view, suffix))


def activate_if_first(client: Client, shell: Any) -> None:
    """Give the magics to a client that was just made, unless somebody has them."""
    from .magics import ParallelMagics

    _open_clients[next(_ages)] = client
    magic = shell.find_line_magic("px")
    owner = getattr(magic, "__self__", None)
    if magic is None or (isinstance(owner, ParallelMagics) and owner.is_released):
        _register(shell, ParallelMagics(shell, _default_view(client), successor=_last_view))


def _default_view(client: Client) -> DirectView:
    """The view of the magics that a client has without being asked; lives as long as it does."""
    if client._default_view is None:
        client._default_view = client.direct_view("all", block=True)
    return client._default_view


def _last_view() -> DirectView | None:
    """That of the last client that was made in this session and is open."""
    age = max(_open_clients, default=None)
    client = None if age is None else _open_clients.get(age)
    return None if client is None else _default_view(client)


def _register(shell: Any, magics: ParallelMagics) -> None:
    shell.register_magics(magics)
    # those that it replaces would be held, and their client with them, as long as the shell lives
    used = [getattr(m, "__self__", None) for m in shell.magics_manager.magics["line"].values()]
    shell.configurables[:] = [
        it for it in shell.configurables if not isinstance(it, type(magics)) or it in used
    ]


def release(client: Client) -> None:
    """A client was closed: its magics keep nothing of it."""
    for age, known in list(_open_clients.items()):
        if known is client:
            del _open_clients[age]
    client._default_view = None
    shell = get_shell()
    if shell is None or "ipyparallel.client.magics" not in sys.modules:
        return
    from .magics import ParallelMagics

    for magic in list(shell.magics_manager.magics["line"].values()):
        owner = getattr(magic, "__self__", None)
        if isinstance(owner, ParallelMagics):
            owner.release(client)
