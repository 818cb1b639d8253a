"""The lines of functions that were typed, sent along, so that tracebacks on engines can show them.

What was typed at a prompt or in a notebook is in no file that an engine could read.
"""

from __future__ import annotations

import linecache
import os
from collections.abc import Iterator
from types import CodeType

#: More lines than this are not sent.
_MAX_LINES = 200

#: Of so many files the lines that arrived are kept, those that came last.
_MAX_REMEMBERED = 1000

#: Where a piece of source is from, the number of its first line, and its lines.
Source = tuple[str, int, list[str]]

#: The entries of `linecache` that were made here, by file, and none that anybody else made.
_remembered: dict[str, object] = {}


def source_of(code: CodeType) -> Source | None:
    """The lines of a function that is in no file; None if it is, or nobody knows them."""
    filename, first = code.co_filename, code.co_firstlineno
    if not _is_typed(filename):
        return None
    last = max(_lines(code), default=first)
    lines = linecache.getlines(filename)[first - 1 : last]
    if not lines or len(lines) > _MAX_LINES:
        return None
    return filename, first, lines


def _is_typed(filename: str) -> bool:
    # a cell of a notebook has the name of a file, which there is not
    return filename in linecache.cache and not os.path.exists(filename)


def _lines(code: CodeType) -> Iterator[int]:
    for _, _, line in code.co_lines():
        if line is not None:
            yield line
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _lines(constant)


def remember_source(source: Source) -> None:
    """Have tracebacks in this process find the lines, unless very many others come after them."""
    filename, first, lines = source
    if os.path.exists(filename):
        return
    entry = linecache.cache.get(filename)
    ours = entry is None or _remembered.get(filename) is entry
    known = list(entry[2]) if entry is not None and len(entry) == 4 else []
    known += ["\n"] * (first - 1 + len(lines) - len(known))
    known[first - 1 : first - 1 + len(lines)] = lines
    linecache.cache[filename] = entry = (sum(map(len, known)), None, known, filename)
    _remembered.pop(filename, None)
    if ours:
        _remembered[filename] = entry
        _forget_oldest()


def _forget_oldest() -> None:
    while len(_remembered) > _MAX_REMEMBERED:
        filename = next(iter(_remembered))
        entry = _remembered.pop(filename)
        if linecache.cache.get(filename) is entry:
            del linecache.cache[filename]
