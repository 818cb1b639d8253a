"""The clients of this IPython session, for the magics: which is the last one that is open."""

from __future__ import annotations

import itertools
import weakref
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .client import Client
    from .views.direct import DirectView

#: By age.
_open: weakref.WeakValueDictionary[int, Client] = weakref.WeakValueDictionary()
_ages = itertools.count()


def remember(client: Client) -> None:
    """A client was made."""
    _open[next(_ages)] = client


def forget(client: Client) -> None:
    """A client was closed."""
    for age, known in list(_open.items()):
        if known is client:
            del _open[age]
    client._default_view = None


def last_client() -> Client | None:
    """The last client that was made in this session and is open."""
    clients = sorted(_open.items())
    return clients[-1][1] if clients else None


def default_view(client: Client) -> DirectView:
    """The view of the magics that a client has without being asked; lives as long as it does."""
    if client._default_view is None:
        client._default_view = client.direct_view("all", block=True)
    return client._default_view
