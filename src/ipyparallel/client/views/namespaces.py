"""What a view does with the namespaces of its engines: assign, read, scatter, gather."""

from __future__ import annotations

from typing import Any

from ...serialize.calls import pull, push
from ..arguments import check_name, check_names, check_namespace
from ..messaging.tasks import MessageFuture
from ..partition import as_sequence, partition_named
from ..remotefunction import getname
from ..results import AsyncMapResult, AsyncResult
from .base import View


class Namespaces(View):
    """A view on engines that the client addresses one by one, and their namespaces."""

    def _ids(self, targets: Any = None) -> list[int]:
        """The engines that a call goes to: there must be one."""
        ids = self.client._resolve(self._targets(targets))
        if not ids:
            raise IndexError(f"No engines to call: the targets are {self._targets(targets)!r}")
        return ids

    def _single(self, targets: Any = None) -> bool:
        return hasattr(self._targets(targets), "__index__")

    def _apply(
        self,
        func: Any,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        targets: Any = None,
        track: bool | None = None,
    ) -> AsyncResult:
        ids = self._ids(targets)
        content, buffers = self.client._messenger.pack(func, args, kwargs)
        tasks = self.client._messenger.submit_direct(
            "apply_request", content, buffers, ids, self, track=track
        )
        children = tasks[0] if self._single(targets) else tasks
        return AsyncResult(self.client, children, getname(func))

    def _submit_each(
        self,
        calls: list[tuple[Any, tuple[Any, ...]]],
        ids: list[int],
        label: str | None = None,
        track: bool | None = None,
    ) -> list[MessageFuture]:
        """Submit the first call to the first engine, and so on."""
        messenger = self.client._messenger
        # all, before the first is sent: one may turn out not to be fit to send
        packed = [messenger.pack(func, args, {}) for func, args in calls]
        children = []
        for engine_id, (content, buffers) in zip(ids, packed, strict=False):
            children += messenger.submit_direct(
                "apply_request", content, buffers, [engine_id], self, label, track
            )
        return children

    # ---- names

    def push(
        self,
        ns: dict[str, Any],
        targets: Any = None,
        block: bool | None = None,
        track: bool | None = None,
    ) -> Any:
        """Assign values to names in the namespaces of the engines.

        Parameters
        ----------
        ns : dict
            Values by name; ``a.b`` and ``a['b']`` are names, too.
        track : bool, optional
            Whether the result's `sent` tells when large values have left; by default as the view.
        """
        check_namespace(ns)
        block = self._blocks(block)
        return self._finish(self._apply(push, (ns,), {}, targets, track), block)

    def update(self, ns: dict[str, Any]) -> Any:
        """See `push`."""
        return self.push(ns)

    def pull(
        self,
        names: str | list[str] | tuple[str, ...] | set[str],
        targets: Any = None,
        block: bool | None = None,
    ) -> Any:
        """The values of names, or other expressions, in the namespaces of the engines.

        Parameters
        ----------
        names : str, or list, tuple or set of str
            For several, the result of each engine is a list.
        """
        wanted = check_names(names)
        block = self._blocks(block)
        return self._finish(self._apply(pull, (wanted,), {}, targets), block)

    def get(self, key_s: str | list[str] | tuple[str, ...] | set[str]) -> Any:
        """See `pull`; waits."""
        return self.pull(key_s, block=True)

    def __getitem__(self, key: str | list[str] | tuple[str, ...] | set[str]) -> Any:
        return self.get(key)

    def __setitem__(self, key: str, value: Any) -> None:
        self.push({key: value}, block=True)

    # ---- sequences

    def scatter(
        self,
        key: str,
        seq: Any,
        dist: str = "b",
        flatten: bool = False,
        targets: Any = None,
        block: bool | None = None,
        track: bool | None = None,
    ) -> AsyncResult | None:
        """Give each engine a part of a sequence.

        Parameters
        ----------
        key : str
            Name of the part on each engine.
        seq : sequence or array
        dist : {'b', 'r'}
            Contiguous parts, or every n-th element.
        flatten : bool
            Whether a part of one element is that element.
        track : bool, optional
            As for `push`.

        Returns
        -------
        AsyncResult or None
            None when blocking.
        """
        check_name(key)
        block = self._blocks(block)
        partition = partition_named(dist)
        ids = self._ids(targets)
        parts = partition.cut(as_sequence(seq), len(ids))
        values = [part[0] if flatten and len(part) == 1 else part for part in parts]
        children = self._submit_each(
            [(push, ({key: value},)) for value in values], ids, track=track
        )
        result = AsyncResult(self.client, children, "scatter")
        result._scatter_lengths = [len(part) for part in parts]
        if not block:
            return result
        self._wait_for(result)
        # only an interrupt leaves something to wait for
        return None if result.done() else result

    def gather(
        self, key: str, dist: str = "b", targets: Any = None, block: bool | None = None
    ) -> Any:
        """Join the parts of a sequence that was scattered.

        Parameters
        ----------
        key : str
            Name of the part on each engine.
        dist : {'b', 'r'}
            As for `scatter`.

        Returns
        -------
        list, array or AsyncMapResult
            The elements; the parts themselves if they are neither arrays nor lists, tuples or
            ranges.
        """
        check_name(key)
        block = self._blocks(block)
        partition = partition_named(dist)
        content, buffers = self.client._messenger.pack(pull, (key,), {})
        children = self.client._messenger.submit_direct(
            "apply_request", content, buffers, self._ids(targets), self
        )
        result = AsyncMapResult(self.client, children, partition, "gather")
        return self._finish(result, block)
