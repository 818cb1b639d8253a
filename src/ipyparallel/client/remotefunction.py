"""Functions that are called on engines when they are called here."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from ..serialize.calls import MapCall
from .arguments import check_callable, check_flag, inputs_of_map
from .partition import as_sequence

if TYPE_CHECKING:
    from .views.base import View

__all__ = ["ParallelFunction", "RemoteFunction", "getname", "parallel", "remote"]


def getname(f: Any) -> str:
    """The name to show for what is called: its own, or that of what it refers to."""
    return str(getattr(f, "__name__", None) or getattr(f, "name", None) or f)


def remote(
    view: View, block: bool | None = None, **flags: Any
) -> Callable[[Callable[..., Any]], RemoteFunction]:
    """Decorator: calling the function calls it on the engines of a view.

    Parameters
    ----------
    view : View
    block : bool, optional
        Whether calls wait; by default as the view does at the time of the call.
    **flags
        Of the view, for the time of each call; see `View.set_flags`.
    """

    def decorate(f: Callable[..., Any]) -> RemoteFunction:
        return RemoteFunction(view, f, block=block, **flags)

    return decorate


def parallel(
    view: View, dist: str = "b", block: bool | None = None, ordered: bool = True, **flags: Any
) -> Callable[[Callable[..., Any]], ParallelFunction]:
    """Decorator: calling the function shares the sequences it is given out to engines.

    Parameters
    ----------
    view : View
    dist : {'b', 'r'}
        Contiguous parts, or every n-th element.
    block : bool, optional
        Whether calls wait; by default they do not.
    ordered : bool
        Whether iterating over the result keeps the order of the input.
    **flags
        Further arguments of `ParallelFunction`.
    """

    def decorate(f: Callable[..., Any]) -> ParallelFunction:
        return ParallelFunction(view, f, dist=dist, block=block, ordered=ordered, **flags)

    return decorate


class RemoteFunction:
    """A function that is called on engines.

    Parameters
    ----------
    view : View
        Whose engines.
    f : callable
    block : bool, optional
        Whether calls wait; by default as the view does at the time of the call.
    **flags
        Of the view, for the time of each call; see `View.set_flags`.

    Attributes
    ----------
    func : callable
        The function, to be called here.
    """

    def __init__(
        self, view: View, f: Callable[..., Any], block: bool | None = None, **flags: Any
    ) -> None:
        view._with_flags(**flags)  # raises what is wrong with them now, not at the first call
        check_callable(f)
        self.view = view
        self.func = f
        self.block = None if block is None else check_flag("block", block)
        self.flags = flags
        self.__name__ = getname(f)
        self.__doc__ = "RemoteFunction wrapping:\n" + (getattr(f, "__doc__", None) or "")
        with suppress(ValueError, TypeError):  # builtins may have none
            self.__signature__ = inspect.signature(f)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.__name__} on {self.view!r}>"

    def __call__(self, /, *args: Any, **kwargs: Any) -> Any:
        """Call the function on the engines."""
        block = self.view.block if self.block is None else self.block
        view = self.view._with_flags(**{**self.flags, "block": block})
        return view.apply(self.func, *args, **kwargs)


class ParallelFunction(RemoteFunction):
    """A function whose calls are shared out to engines.

    Calling it cuts each sequence into parts, and calls the function once for each part; `map`
    calls it once for each element. Either way the results are joined again.

    Parameters
    ----------
    view : View
        Whose engines: one part for each of a direct view, or chunks for a load balanced one.
    f : callable
    dist : {'b', 'r'}
        Contiguous parts, or every n-th element.
    block : bool, optional
        Whether calls wait; by default they do not, whatever the view does.
    chunksize : int or 'auto', optional
        Most elements in one task of a load balanced view; by default one. ``'auto'``: by how long
        those before them took; see `LoadBalancedView.map`.
    ordered : bool
        Whether iterating over the result keeps the order of the input.
    return_exceptions : bool
        Return failures as results instead of raising them.
    **flags
        Of the view, for the time of each call; see `View.set_flags`.
    """

    def __init__(
        self,
        view: View,
        f: Callable[..., Any],
        dist: str = "b",
        block: bool | None = None,
        chunksize: int | str | None = None,
        ordered: bool = True,
        return_exceptions: bool = False,
        **flags: Any,
    ) -> None:
        super().__init__(view, f, block=block, **flags)
        if chunksize is not None and not view._is_balanced:
            warnings.warn("`chunksize` is ignored unless load balancing", UserWarning, stacklevel=2)
            chunksize = None
        self.dist = dist
        self.chunksize = chunksize
        self.ordered = ordered
        self.return_exceptions = return_exceptions

    def __call__(self, /, *sequences: Iterable[Any], **kwargs: Any) -> Any:
        """Call the function with parts of the sequences.

        Parameters
        ----------
        *sequences : iterables
            Of one length.

        Returns
        -------
        list or AsyncMapResult
            What the calls return, joined; an empty list for no input.
        """
        if kwargs:
            raise TypeError(
                f"{self.__name__} takes sequences, to be cut into parts, and no keyword arguments:"
                f" {', '.join(map(repr, kwargs))}"
            )
        if not sequences:
            raise TypeError(f"{self.__name__} needs at least one sequence")
        inputs = [as_sequence(seq) for seq in sequences]
        lengths = [len(seq) for seq in inputs]
        if len(set(lengths)) > 1:
            raise ValueError(f"all sequences must have equal length, but have {lengths}")
        return self._share_out(self.func, inputs)

    def map(self, *sequences: Iterable[Any]) -> Any:
        """Call the function with each element of the sequences, as far as the shortest goes.

        Returns
        -------
        list or AsyncMapResult
            The results, in the order of the input; an empty list for no input.
        """
        return self._share_out(MapCall(self.func), inputs_of_map(sequences))

    def _share_out(self, call: Any, inputs: list[Any]) -> Any:
        return self.view._with_flags(**self.flags)._share_out(
            call,
            inputs,
            name=self.__name__,
            dist=self.dist,
            block=bool(self.block),
            chunksize=self.chunksize,
            ordered=self.ordered,
            return_exceptions=self.return_exceptions,
        )
