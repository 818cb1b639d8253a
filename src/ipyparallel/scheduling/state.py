"""The scheduler's picture of a job and of an engine."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from enum import Enum
from typing import TYPE_CHECKING, Any

from .terms import PLAIN, Amounts, Terms

if TYPE_CHECKING:
    from .graph import Waits
    from .lines import Line


#: The part of a resource that is no matter.
_TINY = 1e-9


class Phase(Enum):
    """Where a job is. It may go back from SENT to WAITING, and from WAITING to BLOCKED."""

    #: Other tasks must end first.
    BLOCKED = "blocked"
    #: It could run, and waits for an engine.
    WAITING = "waiting"
    SENT = "sent"
    ENDED = "ended"


class Owner:
    """Whose turn a job takes: a client, with all that its tasks submit."""

    __slots__ = ("jobs", "name", "turn")

    def __init__(self, name: str, turn: int = 0) -> None:
        self.name = name
        #: How many of its jobs have not ended.
        self.jobs = 0
        #: When a job of this owner was sent last, by a count of all that were sent; at first, when
        #: it came.
        self.turn = turn


class Job:
    """One task, from its submission to its end.

    Parameters
    ----------
    msg_id : str
        Id of the request.
    terms : Terms
        What its submitter asked for.
    owner : str
        Name of the client whose turn it takes.
    payload : object
        Carried for who drives the machine: the message itself.
    """

    __slots__ = (
        "adopted",
        "allowed",
        "attempt",
        "avoided",
        "begun",
        "cancelled",
        "engine",
        "expired",
        "insisted",
        "lacks",
        "line",
        "msg_id",
        "overdue",
        "owner",
        "owner_name",
        "payload",
        "phase",
        "retries",
        "sent_at",
        "sequence",
        "terms",
        "timer",
        "unmet",
        "waits",
    )

    def __init__(
        self, msg_id: str, terms: Terms = PLAIN, owner: str = "", payload: Any = None
    ) -> None:
        self.msg_id = msg_id
        self.terms = terms
        self.owner_name = owner
        self.payload = payload
        self.phase = Phase.WAITING
        self.owner: Owner | None = None
        self.engine: Engine | None = None
        #: The line it stands in while it is WAITING.
        self.line: Line | None = None
        #: What it waits for while it is BLOCKED.
        self.waits: Waits | None = None
        self.sequence = 0
        self.retries = terms.retries
        #: Engines (uuids) that may run it; empty for any. Fewer than its targets once it is known
        #: where those ran that it follows.
        self.allowed = terms.targets
        #: Engines where it has failed: another one is to try it, if there is one.
        self.avoided: frozenset[str] = frozenset()
        #: Engines that lack what it requires.
        self.unmet: frozenset[str] = frozenset()
        #: What the last one of these said that it lacks.
        self.lacks = ""
        #: How many times it has been sent to an engine.
        self.attempt = 0
        self.sent_at = 0.0
        #: Number of its timer, if something is to happen to it unless it moves; 0 for none.
        self.timer = 0
        #: Whether its client does not want it any more.
        self.cancelled = False
        #: Whether it is to be interrupted, too, if it runs.
        self.insisted = False
        #: Whether it may be running: it is the first on its engine; kept of jobs whose time counts.
        self.begun = False
        #: Whether it has waited longer than it may.
        self.expired = False
        #: Whether it has run longer than it may.
        self.overdue = False
        #: Whether all that is known of it is that an engine holds it, which has come back; nobody
        #: can send it anew.
        self.adopted = False

    @property
    def sending(self) -> str:
        """Names this sending of the job: the engine may have had it before, or may yet get to know
        that it was taken back.
        """
        return self.msg_id if self.attempt <= 1 else f"{self.msg_id}#{self.attempt}"

    def __repr__(self) -> str:
        return f"<Job {self.msg_id} {self.phase.value}>"


def msg_id_of(sending: str) -> str:
    """Id of the job that was sent by this name; see `Job.sending`."""
    return sending.rpartition("#")[0] or sending


def adopt(sending: str) -> Job:
    """The job that an engine holds by this sending, which was sent before anybody can remember."""
    job = Job(msg_id_of(sending))
    number = sending.rpartition("#")[2] if job.msg_id != sending else ""
    job.attempt = int(number) if number.isdecimal() else 1
    job.adopted = True
    return job


class Engine:
    """One engine: what it runs, what it may hold, how long its tasks take."""

    __slots__ = (
        "away",
        "completed",
        "condemned",
        "duration",
        "free",
        "id",
        "limit",
        "lines",
        "lost",
        "number",
        "paused",
        "recalling",
        "resources",
        "running",
        "uuid",
    )

    def __init__(
        self, uuid: str, engine_id: int, limit: float, resources: Mapping[str, float] | None = None
    ) -> None:
        self.uuid = uuid
        self.id = engine_id
        #: How many tasks it may hold at a time; infinite for no limit.
        self.limit = limit
        #: Which engine it was that joined, counted from 1.
        self.number = 0
        #: What it holds, in the order in which it will run them.
        # ordered, since a plain dict is slow to find its first item after many were removed
        self.running: OrderedDict[str, Job] = OrderedDict()
        #: Those of these that wait for tasks they have submitted; others may run meanwhile.
        self.paused: set[Job] = set()
        #: The lines of jobs that may run here.
        self.lines: dict[Line, None] = {}
        self.completed = 0
        #: Seconds its recent tasks took, averaged; negative as long as nothing is known.
        self.duration = -1.0
        #: Whether it was asked to give back jobs, and has not answered yet.
        self.recalling = False
        #: Whether it is to be killed, since what it runs did not end.
        self.condemned = False
        #: Whether it cannot be reached, at present or any more.
        self.lost = False
        #: Whether nothing was heard of it for a while; it may come back.
        self.away = False
        self.resources = dict(resources or {})
        #: What of its resources is not taken by the jobs it holds.
        self.free = dict(self.resources)

    @property
    def load(self) -> int:
        """How many tasks it holds, but for those that wait for others."""
        return len(self.running) - len(self.paused)

    @property
    def full(self) -> bool:
        """Whether it may get no more: it holds as many as it may, was asked some back, is away, or
        is about to leave.
        """
        return (
            len(self.running) - len(self.paused) >= self.limit
            or self.recalling
            or self.condemned
            or self.lost
            or self.away
        )

    @property
    def head(self) -> Job | None:
        """The job that it runs now, as far as can be told."""
        return next((job for job in self.running.values() if job not in self.paused), None)

    def held(self, sending: str) -> Job | None:
        """The job that it holds by this sending; None if that is over."""
        job = self.running.get(sending) or self.running.get(msg_id_of(sending))
        return job if job is not None and job.sending == sending else None

    def could_run(self, amounts: Amounts) -> bool:
        """Whether it has these resources, free or not."""
        return all(self.resources.get(name, 0) >= amount for name, amount in amounts)

    def can_run(self, amounts: Amounts) -> bool:
        """Whether it has these resources free."""
        return all(
            # sums of fractions are not exact: three tenths less one, less two, are not nothing
            self.free.get(name, 0) + _TINY * self.resources.get(name, 0) >= amount
            for name, amount in amounts
        )

    def occupy(self, amounts: Amounts, sign: int = 1) -> None:
        """A job takes these resources, or, with sign -1, gives them back."""
        for name, amount in amounts:
            self.free[name] = self.free.get(name, 0) - sign * amount

    def __repr__(self) -> str:
        return f"<Engine {self.id} load={self.load}/{self.limit}>"
