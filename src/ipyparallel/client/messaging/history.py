"""The ids of the last messages that were submitted, at eight bytes each."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from typing import overload

#: How many ids are kept.
LIMIT = 100_000


class History(Sequence[str]):
    """Message ids in the order of their submission; the oldest are forgotten.

    All ids of one session differ in the number they end with, so only that is kept.

    Parameters
    ----------
    prefix : str
        What all ids begin with.
    limit : int
        How many are kept at least; up to a tenth more are.
    """

    def __init__(self, prefix: str, limit: int = LIMIT) -> None:
        self._prefix = prefix
        self._limit = limit
        self._numbers = array("Q")

    def append(self, msg_id: str) -> None:
        """Add the id of a message that was submitted."""
        self._numbers.append(int(msg_id[len(self._prefix) :]))
        if len(self._numbers) > self._limit * 1.1:
            del self._numbers[: -self._limit]

    def clear(self) -> None:
        """Forget all."""
        del self._numbers[:]

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> list[str]: ...
    def __getitem__(self, index: int | slice) -> str | list[str]:
        if isinstance(index, slice):
            return [f"{self._prefix}{number}" for number in self._numbers[index]]
        try:
            return f"{self._prefix}{self._numbers[index]}"
        except IndexError:
            raise IndexError(f"no message {index}: the history has {len(self)}") from None

    def __len__(self) -> int:
        return len(self._numbers)

    def __eq__(self, other: object) -> bool:
        if isinstance(other, (list, History)):
            return list(self) == list(other)
        return NotImplemented

    def __add__(self, other: list[str]) -> list[str]:
        return [*self, *other]

    def __radd__(self, other: list[str]) -> list[str]:
        return [*other, *self]

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return repr(list(self))
