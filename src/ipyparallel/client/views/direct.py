"""The direct view: each engine is addressed by its id."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from ...protocol.messages import encode
from ...serialize.calls import MapCall, pull, push
from ..partition import as_sequence, partition_named
from ..results import AsyncMapResult, AsyncResult
from .base import View, map_inputs, name_of


class DirectView(View):
    """Calls functions on each of its engines.

    A view on one engine (``client[0]``) gives single results, one on several a list of them, in
    the order of the targets.
    """

    def _ids(self, targets: Any = None) -> list[int]:
        return self.client._resolve(self._targets(targets))

    def _some_ids(self, targets: Any = None) -> list[int]:
        """The engines to share something out to: there must be one."""
        ids = self._ids(targets)
        if not ids:
            raise ValueError("this view has no engines to share a sequence out to")
        return ids

    def _single(self, targets: Any = None) -> bool:
        return isinstance(self._targets(targets), int)

    def _apply(
        self, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any], targets: Any = None
    ) -> AsyncResult:
        ids = self._ids(targets)
        content, buffers = self.client._messenger.pack(func, args, kwargs)
        tasks = self.client._messenger.submit_direct("apply_request", content, buffers, ids, self)
        children = tasks[0] if self._single(targets) else tasks
        return AsyncResult(self.client, children, name_of(func))

    # ---- code

    def execute(
        self,
        code: str,
        silent: bool = True,
        targets: Any = None,
        block: bool | None = None,
        label: str | None = None,
    ) -> AsyncResult:
        """Run code in the namespaces of the engines, as if it were typed there.

        Parameters
        ----------
        code : str
        silent : bool
            Whether not to show the value of the last expression, nor count the execution.
        targets : optional
            Instead of the view's.
        block : bool, optional
            Whether to wait; raises what failed, and all output is there then.

        Returns
        -------
        AsyncResult
            Of `ExecuteReply` objects, also when blocking.
        """
        ids = self._ids(targets)
        content = encode(
            {"code": code, "silent": silent, "user_expressions": {}, "allow_stdin": False}
        )
        tasks = self.client._messenger.submit_direct(
            "execute_request", content, (), ids, self, label
        )
        children = tasks[0] if self._single(targets) else tasks
        result = AsyncResult(self.client, children, "execute")
        if self._blocks(block):
            try:
                result.get()
                result.wait_for_output()
            except KeyboardInterrupt:
                pass
        return result

    def run(
        self,
        filename: str | os.PathLike[str],
        targets: Any = None,
        block: bool | None = None,
        label: str | None = None,
    ) -> AsyncResult:
        """Run a file of this host in the namespaces of the engines; see `execute`."""
        code = Path(filename).read_text(encoding="utf-8")
        return self.execute(code + "\n", targets=targets, block=block, label=label)

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
        """
        if not isinstance(ns, dict):
            raise TypeError(f"push takes a dict of names and values, not a {type(ns).__name__}")
        for name in ns:
            if not isinstance(name, str):
                raise TypeError(f"push takes a dict of names and values, and {name!r} is no name")
        return self._finish(self._apply(push, (ns,), {}, targets), self._blocks(block))

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
        if not isinstance(names, str):
            if not isinstance(names, (list, tuple, set)) or not all(
                isinstance(name, str) for name in names
            ):
                raise TypeError(f"pull takes a name or a list of names, not {names!r}")
            names = list(names)
        return self._finish(self._apply(pull, (names,), {}, targets), self._blocks(block))

    def get(self, key_s: str | list[str]) -> Any:
        """See `pull`; waits."""
        return self.pull(key_s, block=True)

    def __getitem__(self, key: str) -> Any:
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

        Returns
        -------
        AsyncResult or None
            None when blocking.
        """
        ids = self._some_ids(targets)
        parts = partition_named(dist).cut(as_sequence(seq), len(ids))
        children = []
        for engine_id, part in zip(ids, parts, strict=True):
            value = part[0] if flatten and len(part) == 1 else part
            content, buffers = self.client._messenger.pack(push, ({key: value},), {})
            children += self.client._messenger.submit_direct(
                "apply_request", content, buffers, [engine_id], self
            )
        result = AsyncResult(self.client, children, "scatter")
        if self._blocks(block):
            self._finish(result, True)
            return None
        return result

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
        """
        content, buffers = self.client._messenger.pack(pull, (key,), {})
        children = self.client._messenger.submit_direct(
            "apply_request", content, buffers, self._ids(targets), self
        )
        result = AsyncMapResult(self.client, children, partition_named(dist), "gather")
        return self._finish(result, self._blocks(block))

    def map(
        self,
        f: Callable[..., Any],
        *sequences: Iterable[Any],
        block: bool | None = None,
        track: bool = False,
        return_exceptions: bool = False,
        label: str | None = None,
        **options: Any,
    ) -> Any:
        """Call `f` with the elements of the sequences; each engine gets a contiguous part.

        Parameters
        ----------
        f : callable
        *sequences : iterables
            As far as the shortest goes.
        block : bool, optional
            Whether to wait.
        return_exceptions : bool
            Return failures as results instead of raising them.

        Returns
        -------
        list or AsyncMapResult
            The results, in the order of the input; an empty list for no input.
        """
        if options:
            raise TypeError(f"DirectView.map takes no {', '.join(map(repr, options))}")
        inputs, length = map_inputs(sequences)
        if not length:
            return []
        inputs = [seq[:length] if len(seq) > length else seq for seq in inputs]
        partition = partition_named("b")
        ids = self._some_ids()
        cuts = [partition.cut(seq, len(ids)) for seq in inputs]
        call = MapCall(f)
        children, sizes = [], []
        for engine_id, *chunks in zip(ids, *cuts, strict=True):
            if not len(chunks[0]):
                continue
            content, buffers = self.client._messenger.pack(call, tuple(chunks), {})
            children += self.client._messenger.submit_direct(
                "apply_request", content, buffers, [engine_id], self, label
            )
            sizes.append(len(chunks[0]))
        result = AsyncMapResult(
            self.client,
            children,
            partition,
            name_of(f),
            return_exceptions=return_exceptions,
            chunk_sizes=sizes,
        )
        return self._finish(result, self._blocks(block))
