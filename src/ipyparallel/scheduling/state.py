"""The scheduler's picture of a job and of an engine."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Set
from enum import Enum
from typing import Any


class Phase(Enum):
    """Where a job is. It moves forward, but for a recalled one, which waits again."""

    WAITING = "waiting"
    SENT = "sent"
    ENDED = "ended"


class Job:
    """One task, from its submission to its end.

    Parameters
    ----------
    msg_id : str
        Id of the request.
    targets : set of str
        Engines (uuids) that may run it; empty for any.
    payload : object
        Carried for who drives the machine: the message itself.
    """

    __slots__ = (
        "attempt",
        "engine",
        "msg_id",
        "payload",
        "phase",
        "sent_at",
        "sequence",
        "targets",
    )

    def __init__(self, msg_id: str, targets: Set[str] = frozenset(), payload: Any = None) -> None:
        self.msg_id = msg_id
        self.targets = targets
        self.payload = payload
        self.phase = Phase.WAITING
        self.engine: Engine | None = None
        self.sequence = 0
        #: How many times it has been sent to an engine.
        self.attempt = 0
        self.sent_at = 0.0

    def __repr__(self) -> str:
        return f"<Job {self.msg_id} {self.phase.value}>"


class Engine:
    """One engine: what it runs, what it may hold, how long its tasks take."""

    __slots__ = (
        "completed",
        "duration",
        "id",
        "limit",
        "recalling",
        "running",
        "uuid",
        "waiting",
    )

    def __init__(self, uuid: str, engine_id: int, limit: float) -> None:
        self.uuid = uuid
        self.id = engine_id
        #: How many tasks it may hold at a time; infinite for no limit.
        self.limit = limit
        #: What it holds, in the order in which it will run them.
        self.running: dict[str, Job] = {}
        #: Jobs that wait for this engine or a few others, and may not run elsewhere; by message
        #: id, in the order of submission.
        self.waiting: OrderedDict[str, Job] = OrderedDict()
        self.completed = 0
        #: Seconds its recent tasks took, averaged; negative as long as nothing is known.
        self.duration = -1.0
        #: Whether it was asked to give back jobs, and has not answered yet.
        self.recalling = False

    @property
    def load(self) -> int:
        """How many tasks it holds."""
        return len(self.running)

    @property
    def full(self) -> bool:
        """Whether it may get no more: it holds as many as it may, or was asked some back."""
        return len(self.running) >= self.limit or self.recalling

    def __repr__(self) -> str:
        return f"<Engine {self.id} load={self.load}/{self.limit}>"
