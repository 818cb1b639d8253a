"""The load balanced view: the scheduler decides which engine does what."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from ...protocol.messages import encode
from ...serialize.calls import MapCall
from ..partition import bounds, partition_named
from ..results import AsyncMapResult, AsyncResult
from .base import View, map_inputs, name_of


class LoadBalancedView(View):
    """Calls functions on whichever engine has the least to do.

    Attributes
    ----------
    targets : list of int or None
        The engines that may be chosen; None for all.
    """

    def _apply(self, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> AsyncResult:
        content, buffers = self.client._messenger.pack(func, args, kwargs)
        task = self.client._messenger.submit_balanced(content, buffers, self.task_metadata(), self)
        return AsyncResult(self.client, task, name_of(func))

    def task_metadata(self, label: str | None = None) -> bytes:
        """What the scheduler is told about each task."""
        table = self.client._messenger.engines
        targets = self.targets
        if targets is None and table.foreign:
            # only engines of this version can read our calls
            targets = [i for i, uuid in table.uuids.items() if uuid not in table.foreign]
        uuids = table.uuids if targets is not None else {}
        return encode(
            {
                "after": [],
                "follow": [],
                "timeout": 0.0,
                # one that is gone is named all the same, so that the scheduler can tell
                "targets": [uuids.get(i, f"engine {i}") for i in targets or ()],
                "retries": 0,
                "label": self.label if label is None else label,
                "count_output": True,
            }
        )

    def map(  # type: ignore[override]
        self,
        f: Callable[..., Any],
        *sequences: Iterable[Any],
        block: bool | None = None,
        chunksize: int = 1,
        ordered: bool = True,
        return_exceptions: bool = False,
        label: str | None = None,
    ) -> Any:
        """Call `f` with the elements of the sequences, a few at a time, where there is room.

        Parameters
        ----------
        f : callable
        *sequences : iterables
            As far as the shortest goes.
        block : bool, optional
            Whether to wait.
        chunksize : int
            Most elements in one task.
        ordered : bool
            Whether iterating over the result keeps the order of the input, or takes what comes
            first.
        return_exceptions : bool
            Return failures as results instead of raising them.
        label : str, optional
            Given to all tasks, instead of the view's.

        Returns
        -------
        list or AsyncMapResult
            The results, in the order of the input; an empty list for no input.
        """
        if not isinstance(chunksize, int) or isinstance(chunksize, bool) or chunksize < 1:
            raise ValueError(f"chunksize must be a positive number, not {chunksize!r}")
        inputs, length = map_inputs(sequences)
        if not length:
            return []
        call = MapCall(f)
        metadata = self.task_metadata(label)
        children, sizes = [], []
        for start, stop in bounds(length, -(-length // chunksize)):
            chunks = tuple(seq[start:stop] for seq in inputs)
            content, buffers = self.client._messenger.pack(call, chunks, {})
            children.append(
                self.client._messenger.submit_balanced(content, buffers, metadata, self, label)
            )
            sizes.append(stop - start)
        result = AsyncMapResult(
            self.client,
            children,
            partition_named("b"),
            name_of(f),
            ordered=ordered,
            return_exceptions=return_exceptions,
            chunk_sizes=sizes,
        )
        return self._finish(result, self._blocks(block))
