"""What a session showed for a cell, and what it should have shown."""

from __future__ import annotations

import ast
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

#: Stands for "any value, or none".
ANYTHING: Any = object()

_ESCAPE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\x1b[=>]|\x1b\].*?(\x07|\x1b\\)")

_NUMBER = re.compile(r"-?\d+(?:\.\d*)?(?:e[+-]?\d+)?")


@dataclass
class Seen:
    """What came of a cell.

    Parameters
    ----------
    text : str
        All that was printed and displayed, the value and tracebacks included, without colours.
    value : str, optional
        How the cell's value was shown.
    errors : list of str
        The class of what the cell raised, and its bases; empty if it raised nothing.
    """

    text: str = ""
    value: str | None = None
    errors: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Expected:
    """What should come of a cell. Unless told otherwise it raises nothing.

    Parameters
    ----------
    piece : str
        What the cell holds, to be sure that the expectation is held against the right cell.
    raises : tuple of str
        Names that the class of the error, or its bases, must have.
    may_raise : tuple of str
        Names as in `raises`, of an error that depends on what is faster; then nothing else is
        looked at.
    traceback : bool
        Whether a traceback may be shown though nothing is raised.
    value : object
        The value, as far as it is a literal; None if no value is shown.
    texts : tuple of str
        Patterns, each of which is found in the text.
    holds : callable, optional
        Is given what was seen, and what was seen of earlier cells by their position; true if
        that is right. Its docstring says what it looks at.
    only : str, optional
        The one form of session in which the cell makes sense.
    """

    piece: str
    raises: tuple[str, ...] = ()
    may_raise: tuple[str, ...] = ()
    traceback: bool = False
    value: Any = ANYTHING
    texts: tuple[str, ...] = ()
    holds: Callable[[Seen, Mapping[int, Seen]], bool] | None = None
    only: str | None = None

    def problems(self, seen: Seen, earlier: Mapping[int, Seen]) -> list[str]:
        """Say what is not as it should be."""
        if self.may_raise and set(self.may_raise) <= set(seen.errors):
            return []
        found = []
        if not self.raises and seen.errors:
            found.append(f"raised {seen.errors[0]}")
        elif not self.raises and not self.traceback and "Traceback (most recent" in seen.text:
            found.append("showed a traceback")
        if missing := [name for name in self.raises if name not in seen.errors]:
            found.append(f"should raise {missing}, raised {seen.errors}")
        if self.value is not ANYTHING and not _shows(seen.value, self.value):
            found.append(f"should show the value {self.value!r}, showed {seen.value!r}")
        found += [
            f"should show /{text}/"
            for text in self.texts
            if not re.search(text, seen.text, re.MULTILINE | re.DOTALL)
        ]
        if self.holds is not None and not _true(lambda: self.holds(seen, earlier)):
            found.append(f"should show {self.holds.__doc__}")
        return found


def same_as(position: int) -> Callable[[Seen, Mapping[int, Seen]], bool]:
    """Make a condition: the value is that of an earlier cell, up to the rounding of numbers."""

    def condition(seen: Seen, earlier: Mapping[int, Seen]) -> bool:
        return _alike(seen.value or "", earlier[position].value or "?")

    condition.__doc__ = f"the same value as cell {position}"
    return condition


def numbers(text: str | None) -> list[float]:
    """All the numbers in a text."""
    return [float(number) for number in _NUMBER.findall(text or "")]


def literal(text: str | None) -> Any:
    """The literal that was shown.

    Raises
    ------
    ValueError, SyntaxError
        It is none.
    """
    return ast.literal_eval((text or "").strip())


def without_escapes(text: str) -> str:
    """The text without colours and other commands to the terminal."""
    return _ESCAPE.sub("", text)


def _shows(shown: str | None, value: Any) -> bool:
    if shown is None or value is None:
        return shown is None and value is None
    try:
        return bool(literal(shown) == value)
    except (ValueError, SyntaxError):
        return False


def _alike(one: str, other: str) -> bool:
    if _NUMBER.sub("", one).split() != _NUMBER.sub("", other).split():
        return False
    largest = max(map(abs, numbers(one)), default=0.0)
    return all(
        math.isclose(a, b, rel_tol=1e-6, abs_tol=1e-9 * largest)
        for a, b in zip(numbers(one), numbers(other), strict=True)
    )


def _true(condition: Callable[[], bool]) -> bool:
    try:
        return condition()
    except (ValueError, SyntaxError, TypeError, LookupError):
        return False  # what was shown is not even of the right form
