"""The result of a map."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from ..messaging.tasks import MessageFuture
from ..partition import Partition, elements
from .iteration import EndedTasks, InTurn
from .result import AsyncResult

if TYPE_CHECKING:
    from ..client import Client


class AsyncMapResult(AsyncResult):
    """The result of a map: the chunks that the tasks return, joined.

    Parameters
    ----------
    client : Client
    children : list of MessageFuture
    mapObject : Partition
        How the chunks were cut, and are joined.
    fname : str
        Name of what was called.
    ordered : bool
        Whether iteration keeps the order of the input, or takes what comes first.
    return_exceptions : bool
        Whether failures are results as well; one stands for its whole chunk.
    chunk_sizes : list of int, optional
        How many items each task has.
    """

    def __init__(
        self,
        client: Client | None,
        children: Sequence[MessageFuture | str],
        mapObject: Partition,
        fname: str = "",
        ordered: bool = True,
        return_exceptions: bool = False,
        chunk_sizes: Sequence[int] | None = None,
    ) -> None:
        self._partition = mapObject
        self._ordered = ordered
        super().__init__(
            client,
            list(children),
            fname,
            return_exceptions=return_exceptions,
            chunk_sizes=chunk_sizes,
        )

    def _join(self, results: list[Any]) -> Any:
        if any(isinstance(result, BaseException) for result in results):
            return [item for result in results for item in _chunk(result)]
        return self._partition.join(results)

    def split(self) -> tuple[AsyncResult, ...]:
        """The results of the single messages behind this: each a list of the one chunk."""
        return tuple(
            AsyncResult(
                self._client, [child], self._fname, return_exceptions=self._return_exceptions
            )
            for child in self._children
        )

    def _in_turn(self) -> InTurn:
        return super()._in_turn() if self._ordered else EndedTasks(self._children)

    def _items(self, child: MessageFuture) -> Iterator[Any]:
        for result in super()._items(child):
            yield from _chunk(result)


def _chunk(result: Any) -> Any:
    """The items of a task's result; an exception stands for the whole chunk."""
    return elements(result)
