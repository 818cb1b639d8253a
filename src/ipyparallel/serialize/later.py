"""Results that are arguments: a call is packed before they are there, with placeholders for them.

Where the call arrives the values are unpacked first, and then the call, with the values in their
places. As everywhere in a pickle, what stands in several places arrives as one object.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from concurrent.futures import Future
from typing import Any


class UnexpectedResult(TypeError):
    """A result that is to come is where there may be none."""


class _Thread(threading.local):
    #: The results met so far in what is pickled; None where there may be none.
    results: list[Future[Any]] | None = None
    #: By their places, in what is unpickled.
    values: Sequence[Any] = ()


#: What this thread packs and unpacks just now.
here = _Thread()


def reduce_result(result: Future[Any]) -> Any:
    """What a result becomes in a pickle.

    Raises
    ------
    UnexpectedResult
        It is not among the arguments of a balanced call.
    """
    results = here.results
    if results is None:
        raise UnexpectedResult(
            f"{result!r} cannot be sent: only the arguments of load-balanced calls may be results"
            " that are to come; send its value instead, which get() returns"
        )
    results.append(result)  # once: the pickler remembers what it has met
    return _value, (len(results) - 1,)


def _value(place: int) -> Any:
    return here.values[place]
