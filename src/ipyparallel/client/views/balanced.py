"""The load balanced view: the scheduler decides which engine does what."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from ...protocol.messages import encode
from ...serialize.calls import MapCall
from ..arguments import check_callable, inputs_of_map
from ..messaging.tasks import MessageFuture
from ..remotefunction import getname
from ..results import AsyncResult
from .base import View


class LoadBalancedView(View):
    """Calls functions on whichever engine has the least to do.

    Attributes
    ----------
    targets : list of int or None
        The engines that may be chosen; None for all.
    """

    _is_balanced = True

    def _apply(self, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> AsyncResult:
        content, buffers = self.client._messenger.pack(func, args, kwargs)
        task = self.client._messenger.submit_balanced(content, buffers, self.task_metadata(), self)
        return AsyncResult(self.client, task, getname(func))

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
        check_callable(f)
        return self._share_out(
            MapCall(f),
            inputs_of_map(sequences),
            name=getname(f),
            block=self._blocks(block),
            chunksize=chunksize,
            ordered=ordered,
            return_exceptions=return_exceptions,
            label=label,
        )

    def register_joblib_backend(
        self, name: str = "ipyparallel", make_default: bool = False
    ) -> None:
        """Have joblib run its tasks with this view; see `ipyparallel.register_joblib_backend`."""
        from ..joblib_register import register

        register(self, name, make_default)

    def _number_of_parts(self, length: int, chunksize: int | None) -> int:
        chunksize = 1 if chunksize is None else chunksize
        if not isinstance(chunksize, int) or isinstance(chunksize, bool) or chunksize < 1:
            raise ValueError(f"chunksize must be a positive number, not {chunksize!r}")
        return -(-length // chunksize)

    def _submit_parts(
        self,
        call: Any,
        parts: list[tuple[Any, ...]],
        label: str | None,
        track: bool | None = None,
    ) -> list[MessageFuture]:
        metadata = self.task_metadata(label)
        children = []
        for part in parts:
            content, buffers = self.client._messenger.pack(call, part, {})
            children.append(
                self.client._messenger.submit_balanced(content, buffers, metadata, self, label)
            )
        return children
