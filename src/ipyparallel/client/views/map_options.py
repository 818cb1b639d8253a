"""Options of maps, as the user gives them."""

from __future__ import annotations

from operator import index
from typing import Any


def check_chunksize(chunksize: Any) -> int | str:
    """How many elements one task gets: a positive number, or ``'auto'``."""
    if chunksize is None:
        return 1
    if isinstance(chunksize, str) and chunksize == "auto":
        return chunksize
    if isinstance(chunksize, bool) or not hasattr(chunksize, "__index__") or index(chunksize) < 1:
        raise ValueError(f"chunksize must be a positive number or 'auto', not {chunksize!r}")
    return index(chunksize)


def check_outstanding(number: Any) -> int | None:
    """How many tasks may be outstanding; None for ``'auto'``."""
    if number is None or (isinstance(number, str) and number == "auto"):
        return None
    if isinstance(number, bool) or not hasattr(number, "__index__") or index(number) < 0:
        raise ValueError(
            f"max_outstanding must be 'auto', 0 (no limit) or a positive number, not {number!r}"
        )
    return index(number)
