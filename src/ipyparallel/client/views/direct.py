"""The direct view: each engine is addressed by its id."""

from __future__ import annotations

import os
import tokenize
from collections.abc import Callable, Iterable
from typing import Any

from ... import serialize
from ...serialize.calls import MapCall
from ..activation import activate_view
from ..arguments import (
    check_callable,
    check_label,
    inputs_of_map,
)
from ..display.waiting import wait_for_output
from ..messaging.tasks import MessageFuture
from ..remotefunction import getname
from ..results import AsyncResult
from .base import Interruptible
from .imports import ImportForwarder
from .namespaces import Namespaces


class DirectView(Namespaces):
    """Calls functions on each of its engines.

    A view on one engine (``client[0]``) gives single results, one on several a list of them, in
    the order of the targets.
    """

    def activate(self, suffix: str = "") -> None:
        """Make ``%px`` and the other magics of IPython those of this view.

        They follow its `targets` and `block`. Warns outside IPython.

        Parameters
        ----------
        suffix : str
            Put behind the names of the magics: ``view.activate('_gpu')`` makes ``%px_gpu``.
        """
        activate_view(self, suffix)

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
        label : str, optional
            Instead of the view's.

        Returns
        -------
        AsyncResult
            Of `ExecuteReply` objects, also when blocking.
        """
        if not isinstance(code, str):
            raise TypeError(f"execute takes code as a str, not a {type(code).__name__}")
        block = self._blocks(block)
        check_label(label)
        ids = self._ids(targets)
        content = self.client._messenger.pack_code(code, silent)
        tasks = self.client._messenger.submit_direct(
            "execute_request", content, (), ids, self, label
        )
        children = tasks[0] if self._single(targets) else tasks
        result = AsyncResult(self.client, children, "execute")
        if block:
            with Interruptible():
                result.get()
                wait_for_output(result._children)
        return result

    def run(
        self,
        filename: str | os.PathLike[str],
        targets: Any = None,
        block: bool | None = None,
        label: str | None = None,
    ) -> AsyncResult:
        """Run a file of this host in the namespaces of the engines; see `execute`.

        Raises
        ------
        OSError
            The file cannot be read.
        """
        with tokenize.open(filename) as file:  # heeds a coding comment
            code = file.read()
        return self.execute(code + "\n", targets=targets, block=block, label=label)

    # ---- sequences

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
        track : bool
            As for `push`.
        return_exceptions : bool
            Return failures as results instead of raising them.

        Returns
        -------
        list or AsyncMapResult
            The results, in the order of the input; an empty list for no input.
        """
        if options:
            raise TypeError(f"DirectView.map takes no {', '.join(map(repr, options))}")
        check_callable(f)
        return self._share_out(
            MapCall(f),
            inputs_of_map(sequences),
            name=getname(f),
            block=self._blocks(block),
            return_exceptions=return_exceptions,
            label=label,
            track=track or None,
        )

    def _number_of_parts(self, length: int, chunksize: int | None) -> int:
        return len(self._ids())

    def _submit_parts(
        self,
        call: Any,
        parts: list[tuple[Any, ...]],
        label: str | None,
        track: bool | None = None,
    ) -> list[MessageFuture]:
        return self._submit_each([(call, part) for part in parts], self._ids(), label, track)

    # ---- modules

    def sync_imports(self, local: bool = True, quiet: bool = False) -> ImportForwarder:
        """A context within which imports are made here and on the engines.

        Only the import statements of the ``with`` block itself count. ``as`` names are for here
        alone: ``import numpy as np`` binds ``numpy`` on the engines. Relative imports are made
        here only.

        Parameters
        ----------
        local : bool
            Must be True.
        quiet : bool
            Whether not to print what is imported.

        Raises
        ------
        RemoteError
            At the end of the block: an engine could not import something.
        """
        if not local:
            raise NotImplementedError("sync_imports cannot import on the engines only")
        return ImportForwarder(self, quiet)

    @property
    def importer(self) -> ImportForwarder:
        """``with view.importer:`` is ``with view.sync_imports():``."""
        return self.sync_imports()

    # ---- picklers

    def use_dill(self) -> Any:
        """Have dill pickle what is sent from here, and from the engines of this view.

        Returns
        -------
        list of None, or AsyncResult
            As for `apply`.

        Raises
        ------
        ImportError
            It is not installed here.
        """
        return self._use(serialize.use_dill)

    def use_cloudpickle(self) -> Any:
        """Have cloudpickle, which is the default, do so again; see `use_dill`."""
        return self._use(serialize.use_cloudpickle)

    def use_pickle(self) -> Any:
        """Restore the default here, and on the engines of this view; see `use_dill`."""
        return self._use(serialize.use_pickle)

    def _use(self, switch: Callable[[], None]) -> Any:
        switch()
        return self.apply(switch)

    # ---- the client's methods, for this view's engines

    def clear(self, targets: Any = None, block: bool | None = None) -> AsyncResult:
        """Empty the namespaces of the engines; see `Client.clear`."""
        block = self._blocks(block)
        result = self.client.clear(self._targets(targets), block=False)
        return self._wait_for(result) if block else result
