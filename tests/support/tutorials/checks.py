"""Expectations that several tutorials share: they tell the same story in turns."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Mapping

from .seen import Expected, Seen, literal, numbers

#: What a result's metadata tells.
METADATA = (
    "msg_id",
    "submitted",
    "started",
    "completed",
    "received",
    "engine_uuid",
    "engine_id",
    "follow",
    "after",
    "status",
    "execute_input",
    "execute_result",
    "error",
    "outputs",
    "stdout",
    "stderr",
    "data",
)

#: A traceback of a division by zero, for one engine that executed it.
DIVISION = r"\[{}:execute\].*?ZeroDivisionError.*?1/0.*?ZeroDivisionError: division by zero"


def times_out(piece: str) -> Expected:
    """The result is not there in time."""
    return Expected(piece, raises=("TimeoutError",), texts=("TimeoutError: Result not ready",))


def divides_on_four(piece: str) -> Expected:
    """All four engines divide by zero, and all four tracebacks are shown."""
    return Expected(
        piece,
        raises=("CompositeError", "RemoteError"),
        texts=tuple(map(DIVISION.format, range(4))),
    )


def divides_shown_once(piece: str) -> Expected:
    """All four engines divide by zero, but no more than one traceback is to be shown."""
    return Expected(
        piece,
        raises=("CompositeError",),
        texts=(DIVISION.format(0), r"\.\.\. 3 more exceptions \.\.\."),
        holds=one_traceback,
    )


def divides_as_locally(piece: str) -> Expected:
    """One of the four errors is raised by itself."""
    return Expected(
        piece,
        raises=("RemoteError", "ZeroDivisionError"),
        texts=("ZeroDivisionError: division by zero",),
        holds=one_traceback,
    )


def unknown_name_on_four(piece: str) -> Expected:
    """A magic meets a name that no engine knows; one traceback is to be shown."""
    return Expected(
        piece,
        raises=("RemoteError",),
        texts=(r"\[\d:execute\].*NameError: name 'z' is not defined",),
        holds=one_traceback,
    )


def metadata(piece: str, results: int) -> Expected:
    """The metadata of so many results are shown."""

    def complete(seen: Seen, _: Mapping[int, Seen]) -> bool:
        return all((seen.value or "").count(f"'{key}': ") == results for key in METADATA)

    complete.__doc__ = f"each of {', '.join(METADATA)}, for {results} result(s)"
    return Expected(piece, texts=("'status': 'ok'", "'engine_id': 0"), holds=complete)


def one_traceback(seen: Seen, _: Mapping[int, Seen]) -> bool:
    """no more than one traceback"""
    return seen.text.count("Traceback (most recent call last)") == 1


def four_pids(seen: Seen, _: Mapping[int, Seen]) -> bool:
    """four different process numbers"""
    return len(set(literal(seen.value))) == 4


def slept(seconds: float, times: int = 4) -> Callable[[Seen, Mapping[int, Seen]], bool]:
    """Make a condition: each engine tells that it slept so long, or a little longer."""

    def condition(seen: Seen, _: Mapping[int, Seen]) -> bool:
        told = numbers(seen.value)
        return len(told) == times and all(seconds - 0.1 < s < seconds + 5 for s in told)

    condition.__doc__ = f"{times} times about {seconds} seconds"
    return condition


def parts(of: list[list[int]]) -> Callable[[Seen, Mapping[int, Seen]], bool]:
    """Make a condition: these parts of a range, be they ranges or lists, or texts of such."""

    def condition(seen: Seen, _: Mapping[int, Seen]) -> bool:
        value = (seen.value or "").replace("'", "")
        return bool(ast.literal_eval(re.sub(r"range\((\d+), (\d+)\)", _listed, value)) == of)

    condition.__doc__ = f"the parts {of}"
    return condition


def _listed(match: re.Match[str]) -> str:
    return str(list(range(int(match[1]), int(match[2]))))


#: A range of 16 on four engines, and one of 5.
PARTS_OF_16 = [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9, 10, 11], [12, 13, 14, 15]]
PARTS_OF_5 = [[0, 1], [2], [3], [4]]
