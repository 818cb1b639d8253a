"""A supervisor's child: an engine, or one that is to be; from either side of the fork."""

from __future__ import annotations

import json
import os
import select
import time
from contextlib import suppress
from dataclasses import dataclass, replace

from .deaths import Beginning


@dataclass(frozen=True)
class Place:
    """What stays the same when an engine is replaced, and what the next one has to know of it."""

    #: Which of the supervisor's engines it is, from 0.
    index: int
    #: The id that the engine before it had; None if there was none.
    engine_id: int | None = None
    #: Uuid of that engine.
    replaces: str = ""
    #: How many died here in a row.
    deaths: int = 0


@dataclass
class Child:
    """An engine as its supervisor sees it."""

    pid: int
    uuid: str
    place: Place
    #: Read end of a pipe on which the engine tells its id and, if it dies of a fault, where it was.
    status: int
    began: Beginning
    #: Seconds that it was to wait first.
    delay: float

    @property
    def life(self) -> float:
        """Seconds for which it has lived, without those."""
        return time.monotonic() - self.began.time - self.delay

    def next_place(self, engine_id: int | None) -> Place:
        """What the next engine here has to know; this one had that id, if it got that far."""
        known = self.place.engine_id if engine_id is None else engine_id
        return replace(self.place, engine_id=known, replaces=self.uuid)

    def read_status(self) -> tuple[int | None, str]:
        """The id that the engine was given, if it got that far; and what it said of a fault."""
        said = b""
        # those that it has forked may hold the other end still
        with suppress(BlockingIOError):
            while data := os.read(self.status, 1 << 16):
                said += data
        engine_id = None
        # an engine that comes back may get another id
        while said.startswith(b"{"):
            line, _, said = said.partition(b"\n")
            engine_id = int(json.loads(line)["id"])
        return engine_id, said.decode(errors="replace")


@dataclass
class Birth:
    """What a new engine process gets from its supervisor."""

    uuid: str
    place: Place
    #: Readable when the supervisor has died.
    lifeline: int
    #: Write end of the pipe to the supervisor; see `Child.status`.
    status: int
    #: Seconds to wait before it begins.
    delay: float

    def wait(self) -> bool:
        """Wait until the engine is to begin; False if its supervisor has died meanwhile."""
        return not select.select([self.lifeline], [], [], self.delay)[0]

    def registered(self, engine_id: int) -> None:
        """Tell the supervisor the id."""
        os.write(self.status, json.dumps({"id": engine_id}).encode() + b"\n")
