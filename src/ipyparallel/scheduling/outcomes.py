"""How the last tasks ended, and where: for tasks that name them as what they depend on.

Four bytes a task: ids of one session differ in the number that they end with.
"""

from __future__ import annotations

from array import array
from collections import OrderedDict
from typing import NamedTuple

#: Of how many tasks is known how they ended, at least, if they are all of one session.
LIMIT = 250_000

#: Tasks do not end in the order of their numbers: so many before the first to end may still come.
_BEFORE = 10_000


class Outcome(NamedTuple):
    """How a task ended.

    Attributes
    ----------
    ok : bool
        Whether it succeeded.
    engine : int
        Number of the engine that ran it; 0 if none did.
    """

    ok: bool
    engine: int


class _Session:
    """Outcomes of the tasks of one session, from a first number on; 0 for what is not known."""

    __slots__ = ("begin", "codes")

    def __init__(self, begin: int) -> None:
        self.begin = begin
        self.codes = array("I")

    def put(self, number: int, code: int, limit: int) -> None:
        at = number - self.begin
        if at < 0:
            return  # too old by now
        codes = self.codes
        if at >= len(codes) + limit:
            self.begin, at = number - _BEFORE, _BEFORE
            del codes[:]
        if at >= len(codes):
            codes.frombytes(bytes(codes.itemsize * (at + 1 - len(codes))))
        codes[at] = code
        if len(codes) > limit + limit // 8:
            surplus = len(codes) - limit
            del codes[:surplus]
            self.begin += surplus

    def get(self, number: int) -> int:
        at = number - self.begin
        return self.codes[at] if 0 <= at < len(self.codes) else 0


class Outcomes:
    """How the last tasks ended.

    Parameters
    ----------
    limit : int
        Of how many tasks this is kept, at most about; the sessions from which nothing was heard
        for longest are forgotten first.
    """

    def __init__(self, limit: int = LIMIT) -> None:
        self._limit = limit
        self._sessions: OrderedDict[str, _Session] = OrderedDict()
        self._kept = 0

    def put(self, msg_id: str, ok: bool, engine: int = 0) -> None:
        """A task has ended."""
        prefix, _, ending = msg_id.rpartition("_")
        try:
            number = int(ending)
        except ValueError:
            prefix, number = msg_id, 0  # not one of ours: a session of its own
        session = self._sessions.get(prefix)
        if session is None:
            session = self._sessions[prefix] = _Session(max(0, number - _BEFORE))
        else:
            self._sessions.move_to_end(prefix)
        before = len(session.codes)
        session.put(number, (engine << 2) | (ok << 1) | 1, self._limit)
        # a session costs something, too
        self._kept += len(session.codes) - before + (0 if before else 50)
        while self._kept > 2 * self._limit and len(self._sessions) > 1:
            _, oldest = self._sessions.popitem(last=False)
            self._kept -= len(oldest.codes) + 50

    def get(self, msg_id: str) -> Outcome | None:
        """How a task ended; None if it has not, or if that is not known any more."""
        prefix, _, ending = msg_id.rpartition("_")
        try:
            number = int(ending)
        except ValueError:
            prefix, number = msg_id, 0
        session = self._sessions.get(prefix)
        code = session.get(number) if session is not None else 0
        return Outcome(bool(code & 2), code >> 2) if code else None
