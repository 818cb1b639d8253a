"""Results that are arguments: a call is packed before they are there, with placeholders for them.

Where the call arrives the values are unpacked first, and then the call, with the values in their
places. As everywhere in a pickle, what stands in several places arrives as one object.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from typing import Any


class _Thread(threading.local):
    """What this thread packs and unpacks just now."""

    def __init__(self) -> None:
        #: The results met so far; None where there may be none.
        self.results: list[Future[Any]] | None = None
        #: By their places.
        self.values: Sequence[Any] = ()


_here = _Thread()


@contextmanager
def gathering(results: list[Future[Any]] | None) -> Iterator[None]:
    """Put the results that are met among what is pickled in this context at the end of a list."""
    before, _here.results = _here.results, results
    try:
        yield
    finally:
        _here.results = before


@contextmanager
def put_in_place(values: Sequence[Any]) -> Iterator[None]:
    """Have these be what is found where results were, in what is unpickled in this context."""
    before, _here.values = _here.values, values
    try:
        yield
    finally:
        _here.values = before


def reduce_result(result: Future[Any]) -> Any:
    """What a result becomes in a pickle.

    Raises
    ------
    TypeError
        It is not among the arguments of a balanced call.
    """
    results = _here.results
    if results is None:
        raise TypeError(
            "a result that is to come can be sent only as an argument of a load-balanced call;"
            " elsewhere send its value, which get() returns"
        )
    results.append(result)  # once: the pickler remembers what it has met
    return _value, (len(results) - 1,)


def _value(place: int) -> Any:
    return _here.values[place]
