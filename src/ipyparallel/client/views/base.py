"""What all views have in common: flags, apply, map."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from traitlets import Any as AnyTrait
from traitlets import Bool, HasTraits, Unicode

from ..history import History
from ..partition import as_sequence
from ..results import AsyncResult

if TYPE_CHECKING:
    from ..client import Client


class View(HasTraits):
    """A way to call functions on engines.

    Attributes
    ----------
    block : bool
        Whether calls wait for their results and return these, instead of an `AsyncResult`.
    targets : optional
        The engines.
    label : str or None
        Given to all tasks.
    history : sequence of str
        Ids of the last messages that were submitted.
    """

    block = Bool(False, help="Whether calls wait for their results.")
    track = Bool(False, help="Accepted for compatibility; large buffers are never copied.")
    targets = AnyTrait(help="The engines.")
    label = Unicode(None, allow_none=True, help="Given to all tasks.")

    #: Names that `set_flags` takes.
    _flag_names: tuple[str, ...] = ("targets", "block", "track", "label")

    def __init__(self, client: Client, targets: Any, **flags: Any) -> None:
        super().__init__(targets=targets)
        self.client = client
        self.block = client.block
        self.history = History(client.session.id_prefix)
        self.set_flags(**flags)

    def __repr__(self) -> str:
        text = str(self.targets)
        if len(text) > 16:
            text = text[:12] + "...]"
        return f"<{type(self).__name__} {text}>"

    def __len__(self) -> int:
        if isinstance(self.targets, list):
            return len(self.targets)
        if isinstance(self.targets, int):
            return 1
        return len(self.client)

    # ---- flags

    def set_flags(self, **flags: Any) -> View:
        """Set flags; returns the view.

        Raises
        ------
        KeyError
            A name that is not a flag.
        """
        for name, value in flags.items():
            if name not in self._flag_names:
                raise KeyError(f"Invalid name: {name!r} (flags are: {', '.join(self._flag_names)})")
            setattr(self, name, value)
        return self

    @contextmanager
    def temp_flags(self, **flags: Any) -> Iterator[View]:
        """Set flags for the duration of a ``with`` block."""
        saved = {name: getattr(self, name) for name in self._flag_names}
        try:
            yield self.set_flags(**flags)
        finally:
            self.set_flags(**saved)

    # ---- calling

    @abstractmethod
    def _apply(self, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> AsyncResult:
        """Submit a call."""

    def apply(self, _ipp_func: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
        """Call a function on the engines.

        Parameters
        ----------
        _ipp_func : callable
            Its globals are the engines' namespaces.
        *args, **kwargs
            Its arguments.

        Returns
        -------
        object or AsyncResult
            What it returns if the view blocks, else its result to come.
        """
        result = self._apply(_ipp_func, args, kwargs)
        return self._finish(result, self.block)

    def apply_async(
        self, _ipp_func: Callable[..., Any], /, *args: Any, **kwargs: Any
    ) -> AsyncResult:
        """Like `apply`; returns an AsyncResult whether the view blocks or not."""
        return self._apply(_ipp_func, args, kwargs)

    def apply_sync(self, _ipp_func: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
        """Like `apply`; waits for the result whether the view blocks or not."""
        return self._finish(self._apply(_ipp_func, args, kwargs), True)

    def _finish(self, result: AsyncResult, block: bool) -> Any:
        if not block:
            return result
        try:
            return result.get()
        except KeyboardInterrupt:
            # the call goes on; the user gets hold of it
            return result

    @abstractmethod
    def map(self, f: Callable[..., Any], *sequences: Iterable[Any], **options: Any) -> Any:
        """Call `f` with the elements of the sequences."""

    def map_async(self, f: Callable[..., Any], *sequences: Iterable[Any], **options: Any) -> Any:
        """Like `map`; returns an AsyncMapResult whether the view blocks or not."""
        _no_block(options)
        return self.map(f, *sequences, block=False, **options)

    def map_sync(self, f: Callable[..., Any], *sequences: Iterable[Any], **options: Any) -> Any:
        """Like `map`; waits for the results whether the view blocks or not."""
        _no_block(options)
        return self.map(f, *sequences, block=True, **options)

    def imap(
        self, f: Callable[..., Any], *sequences: Iterable[Any], **options: Any
    ) -> Iterator[Any]:
        """Like `map`; an iterator over the results."""
        return iter(self.map_async(f, *sequences, **options))

    # ---- the client's methods, for this view's engines and tasks

    def wait(self, jobs: Any = None, timeout: float | None = -1) -> bool:
        """Wait for tasks to end, by default those of this view; see `Client.wait`."""
        if jobs is None:
            pending = self.client._messenger.tasks.pending
            jobs = [task for task in list(pending.values()) if task.owner is self]
        return self.client.wait(jobs, timeout)

    def abort(self, jobs: Any = None, targets: Any = None, block: bool | None = None) -> Any:
        """Have tasks that have not begun not run; see `Client.abort`."""
        if jobs is None:
            jobs = list(self.outstanding)
        return self.client.abort(jobs, self._targets(targets), self._blocks(block))

    @property
    def outstanding(self) -> set[str]:
        """Ids of this view's messages whose results are to come."""
        pending = self.client._messenger.tasks.pending
        return {task.msg_id for task in list(pending.values()) if task.owner is self}

    def queue_status(self, targets: Any = None, verbose: bool = False) -> dict[Any, Any]:
        """How much each engine has to do; see `Client.queue_status`."""
        return self.client.queue_status(self._targets(targets), verbose)

    def shutdown(
        self,
        targets: Any = None,
        restart: bool = False,
        hub: bool = False,
        block: bool | None = None,
    ) -> None:
        """Stop engines; see `Client.shutdown`."""
        self.client.shutdown(self._targets(targets), restart, hub, self._blocks(block))

    def _targets(self, targets: Any) -> Any:
        return self.targets if targets is None else targets

    def _blocks(self, block: bool | None) -> bool:
        return bool(self.block) if block is None else block


def _no_block(options: dict[str, Any]) -> None:
    if "block" in options:
        raise TypeError("map_async and map_sync take no block: it is in their names")


def map_inputs(sequences: tuple[Iterable[Any], ...]) -> tuple[list[Any], int]:
    """What a map is given, as sequences that can be cut, and the length of the shortest."""
    if not sequences:
        raise TypeError("map needs at least one sequence")
    inputs = [as_sequence(seq) for seq in sequences]
    return inputs, min(map(len, inputs))


def name_of(func: Any) -> str:
    """The name to show for what is called."""
    return str(getattr(func, "__name__", None) or getattr(func, "name", None) or func)
