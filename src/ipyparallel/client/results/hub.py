"""The result of tasks of which the hub tells."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ..messaging.tasks import MessageFuture
from .result import AsyncResult, Children

if TYPE_CHECKING:
    from ..client import Client


class AsyncHubResult(AsyncResult):
    """The result of tasks that another client has submitted, or that were forgotten here.

    Like any `AsyncResult`; the hub tells of each task as soon as it has ended. What is known
    besides the result is there then, all at once: but for what engines displayed richly, which
    the hub does not keep. The result of a map is the list of its chunks.

    Parameters
    ----------
    client : Client
    children : MessageFuture or message id, or list of them
        One alone makes the result a single one: not a list. The hub is asked for those that are
        not known here.
    fname : str
        What it is of, for those who look at it.
    targets : optional
        The engines.
    owner : bool
        Accepted for compatibility: the client keeps no results.
    return_exceptions : bool
        Whether failures are results as well.
    chunk_sizes : list of int, optional
        How many items each child stands for.
    """

    def __init__(
        self,
        client: Client,
        children: Children,
        fname: str = "get_result",
        targets: Any = None,
        owner: bool = False,
        return_exceptions: bool = False,
        chunk_sizes: Sequence[int] | None = None,
    ) -> None:
        if isinstance(children, (MessageFuture, str)):
            (children,) = _tasks(client, [children])
        else:
            children = _tasks(client, children)
        super().__init__(client, children, fname, targets, owner, return_exceptions, chunk_sizes)


def _tasks(client: Client, children: Sequence[MessageFuture | str]) -> list[MessageFuture]:
    ids = [child for child in children if isinstance(child, str)]
    named = dict(zip(ids, client._messenger.fetching.tasks(ids), strict=True))
    return [named[child] if isinstance(child, str) else child for child in children]
