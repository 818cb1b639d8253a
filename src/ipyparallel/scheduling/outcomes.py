"""How the last tasks ended, and where: for tasks that name them as what they depend on.

Four bytes a task: ids of one session differ in the number that they end with.
"""

from __future__ import annotations

from array import array
from collections import OrderedDict
from typing import NamedTuple

#: Of how many tasks is known how they ended, at least, if they are all of one session.
LIMIT = 250_000

#: Tasks do not end in the order of their numbers: there is room at once for so many more to either
#: side of the first that ended.
_BLOCK = 1000

#: What a session costs, apart from its name, as so many tasks.
_SESSION = 100


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

    __slots__ = ("begin", "codes", "cost")

    def __init__(self, name: str, number: int) -> None:
        self.begin = max(0, number - _BLOCK)
        self.codes = array("I")
        #: Apart from that of the outcomes.
        self.cost = _SESSION + len(name) // 4

    def put(self, number: int, code: int, limit: int) -> None:
        at = number - self.begin
        codes = self.codes
        if at < 0:
            room = limit - len(codes)
            if -at > room:
                return  # too old by now
            more = min(self.begin, _BLOCK - at, room)
            codes[:0] = array("I", bytes(codes.itemsize * more))
            self.begin -= more
            at += more
        elif at >= len(codes) + limit:
            del codes[:]
            self.begin = number - min(_BLOCK, limit)
            at = number - self.begin
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
        name, number = _parts(msg_id)
        session = self._sessions.get(name)
        if session is None:
            session = self._sessions[name] = _Session(name, number)
            self._kept += session.cost
        else:
            self._sessions.move_to_end(name)
        self._kept -= len(session.codes)
        session.put(number, (engine << 2) | (ok << 1) | 1, self._limit)
        self._kept += len(session.codes)
        while self._kept > 2 * self._limit and len(self._sessions) > 1:
            _, oldest = self._sessions.popitem(last=False)
            self._kept -= len(oldest.codes) + oldest.cost

    def get(self, msg_id: str) -> Outcome | None:
        """How a task ended; None if it has not, or if that is not known any more."""
        name, number = _parts(msg_id)
        session = self._sessions.get(name)
        code = session.get(number) if session is not None else 0
        return Outcome(bool(code & 2), code >> 2) if code else None


def _parts(msg_id: str) -> tuple[str, int]:
    """The session of a task, and its number there, from 1 on; 0 for one that is not ours."""
    name, _, ending = msg_id.rpartition("_")
    # only as a number is written by us, or two different ids might count as one
    if ending.isdecimal() and ending.isascii() and len(ending) < 19:
        number = int(ending)
        if ending[0] != "0" or ending == "0":
            return name, number + 1
    return msg_id, 0
