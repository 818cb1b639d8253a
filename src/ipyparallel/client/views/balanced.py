"""The load balanced view: the scheduler decides which engine does what."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from ...serialize.calls import MapCall
from ..arguments import check_callable, check_flag, check_label, inputs_of_map
from ..messaging.tasks import MessageFuture
from ..partition import Block, partition_named
from ..remotefunction import getname
from ..results import AsyncResult
from .base import View
from .feeding import abort_unwanted
from .growing import GrowingMapResult
from .lazy_iterator import LazyMapIterator
from .lazy_map import LazyMap
from .map_options import check_chunksize, check_outstanding
from .task_flags import TaskFlags


class LoadBalancedView(TaskFlags, View):
    """Calls functions on whichever engine has the least to do.

    Its flags, besides those of all views, say what the scheduler has to heed. They count for the
    calls made while they are set; see `set_flags`, `temp_flags`, and `remote`.

    Attributes
    ----------
    targets : list of int, slice, or None
        The engines that may be chosen; None for all, now and later.
    after : dependency or None
        Tasks that must have ended before a task may begin: a message id, an `AsyncResult`, a
        collection of these, or a `Dependency`, also as the dict that its `as_dict` makes.
    follow : dependency or None
        A task may only run on engines that have run these; in the same forms.
    timeout : float
        Seconds that a task may wait for `after` and `follow`; 0 for any time.
    retries : int
        How often a task that has failed is tried again, on another engine if there is one.
    retry_on : exception type, name, collection of these, or None
        Only after these exceptions, or those derived from them; by default after any. A name is
        ``'module.Name'``, or that of a built-in one.
    priority : int
        Of the tasks that wait for an engine, those of a higher priority go first.
    resources : dict of str and float, or None
        How much a task needs of what engines have declared, by name.
    time_limit : float
        Seconds that a task may run before it is interrupted; 0 for any time.
    """

    _is_balanced = True

    def _apply(self, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> AsyncResult:
        self._check_function(func)
        return AsyncResult(self.client, self._submit(func, args, kwargs), getname(func))

    def _submit(
        self,
        func: Any,
        args: tuple[Any, ...],
        kwargs: dict[str, Any] = {},  # noqa: B006  (not changed)
        label: str | None = None,
    ) -> MessageFuture:
        submit = self.client._messenger.submit_call
        return submit(func, args, kwargs, self.task_metadata(label), self, label)

    # ---- sequences

    def map(  # type: ignore[override]
        self,
        f: Callable[..., Any],
        *sequences: Iterable[Any],
        block: bool | None = None,
        chunksize: int | str = 1,
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
        chunksize : int or 'auto'
            Most elements in one task. ``'auto'``: as many as keep an engine busy for some 75 ms,
            by how long those before them took; tasks are submitted little by little then, as long
            as this process lives.
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

        Raises
        ------
        TypeError
            The function or an element cannot be pickled. What was submitted before is aborted.
        """
        check_callable(f)
        self._check_function(f)
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

    def imap(  # type: ignore[override]
        self,
        f: Callable[..., Any],
        *sequences: Iterable[Any],
        ordered: bool = True,
        max_outstanding: int | str = "auto",
        return_exceptions: bool = False,
        chunksize: int | str = 1,
    ) -> LazyMapIterator:
        """Call `f` with the elements of the sequences, and iterate over the results.

        Elements are taken, in a thread of their own, as there is room for their tasks, and a
        result is forgotten when it was given away: any number of them, also without end, needs
        little memory.

        Parameters
        ----------
        f : callable
        *sequences : iterables
            As far as the shortest goes. What one of them raises is raised after the results of
            what came before.
        ordered : bool
            Whether results come in the order of the input, or as they are there.
        max_outstanding : int or 'auto'
            Most tasks that are submitted and whose results were not taken; 0 for any number.
            ``'auto'``: two for each engine, and up to 16 when tasks take less than 25 ms.
        return_exceptions : bool
            Return failures as results instead of raising them; one stands for its whole task.
            Otherwise `next` raises a failure, and goes on with what comes after it.
        chunksize : int or 'auto'
            Elements in one task; see `map`.

        Returns
        -------
        LazyMapIterator
            A context, too: left before the end, it cancels what was submitted.
        """
        check_callable(f)
        self._check_function(f)
        if not sequences:
            raise TypeError("imap needs at least one sequence")
        lazy_map = LazyMap(
            self._with_flags(),  # later changes do not count
            f,
            zip(*sequences, strict=False),
            check_chunksize(chunksize),
            check_flag("ordered", ordered),
            check_outstanding(max_outstanding),
        )
        self.task_metadata()  # raises what is wrong with the flags
        iterator = LazyMapIterator(lazy_map, check_flag("return_exceptions", return_exceptions))
        lazy_map.start()
        return iterator

    def _share_out(self, call: Any, inputs: list[Any], **options: Any) -> Any:
        if not isinstance(options.get("chunksize"), str):
            return super()._share_out(call, inputs, **options)
        check_chunksize(options["chunksize"])
        return self._grow(call, inputs, **options)

    def _grow(
        self,
        call: Any,
        inputs: list[Any],
        *,
        name: str,
        block: bool,
        chunksize: str,
        dist: str = "b",
        ordered: bool = True,
        return_exceptions: bool = False,
        label: str | None = None,
    ) -> Any:
        check_label(label)
        if not isinstance(partition_named(dist), Block):
            raise ValueError("chunksize='auto' cuts contiguous parts: dist must be 'b'")
        if not len(inputs[0]):
            return []
        view = self._with_flags()  # later changes do not count

        def submit(start: int, stop: int) -> MessageFuture:
            return view._submit(call, tuple(seq[start:stop] for seq in inputs), label=label)

        result = GrowingMapResult(
            view,
            submit,
            len(inputs[0]),
            name,
            ordered=ordered,
            return_exceptions=return_exceptions,
        )
        return self._finish(result, block)

    def register_joblib_backend(
        self, name: str = "ipyparallel", make_default: bool = False
    ) -> None:
        """Have joblib run its tasks with this view; see `ipyparallel.register_joblib_backend`."""
        from ..joblib_backend.register import register

        register(self, name, make_default)

    def _number_of_parts(self, length: int, chunksize: int | None) -> int:
        size = check_chunksize(chunksize)
        assert isinstance(size, int)
        return -(-length // size)

    def _submit_parts(
        self,
        call: Any,
        parts: list[tuple[Any, ...]],
        label: str | None,
        track: bool | None = None,
    ) -> list[MessageFuture]:
        children: list[MessageFuture] = []
        try:
            for part in parts:
                children.append(self._submit(call, part, label=label))
        except BaseException:
            # nobody will get hold of those
            abort_unwanted(self, [child.msg_id for child in children])
            raise
        return children
