"""What hub, task scheduler and relays tell each other, as typed messages on pairs of sockets.

They share no state, so that each may as well run in a process of its own.
"""

from __future__ import annotations

import msgspec


class EngineJoined(msgspec.Struct, tag=True):
    """Hub: an engine is ready for work."""

    uuid: str
    id: int
    #: How much it has of what tasks may ask for, by name.
    resources: dict[str, float] = {}
    #: The balanced tasks that it holds, if it comes back; see `RegistrationRequest.balanced`.
    holding: list[str] = []
    #: Those that it had answered last by then; see `RegistrationRequest.answered`.
    answered: list[str] = []


class EngineAway(msgspec.Struct, tag=True):
    """Hub, to the scheduler and the direct relay: nothing was heard of an engine for a while."""

    uuid: str


class EngineBack(msgspec.Struct, tag=True):
    """Hub, to the same: it is heard again."""

    uuid: str


class EngineUnknown(msgspec.Struct, tag=True):
    """Hub, to a relay: the engine that it cannot reach will not be reached again."""

    uuid: str


class Greet(msgspec.Struct, tag=True):
    """Hub, to the scheduler or a relay: see whether an engine can be reached, and ask it what it
    holds, since something may have been lost on the way. EngineReached is the answer, if it can.
    """

    uuid: str


class ErrandsLost(msgspec.Struct, tag=True):
    """Hub, to the scheduler: what an engine was asked, or has answered, may be lost."""

    uuid: str


class Restoring(msgspec.Struct, tag=True):
    """Hub, to the scheduler: engines of an earlier run are about to come back. Until `Restored`,
    what clients submit waits, since an engine may hold it already.
    """


class EndedTask(msgspec.Struct):
    """A task of an earlier run that has ended."""

    msg_id: str
    ok: bool
    #: Where; empty if no engine has run it.
    uuid: str


class Restored(msgspec.Struct, tag=True):
    """Hub, to the scheduler: those that have not come by now are not waited for any more."""

    #: Restored tasks: the requests, as they came from the clients (their identities first), of
    #: those that had not ended by the records of the earlier run.
    tasks: list[list[bytes]] = []
    #: How those ended that these depend on.
    ended: list[EndedTask] = []


class DirectTask(msgspec.Struct):
    """A direct task of an earlier run that an engine holds."""

    uuid: str
    msg_id: str
    client: bytes
    header_frame: bytes


class RestoredDirect(msgspec.Struct, tag=True):
    """Hub, to the direct relay: these are to be answered yet."""

    tasks: list[DirectTask]


class EngineLeft(msgspec.Struct, tag=True):
    """Hub, to all: an engine is gone, and why."""

    uuid: str
    reason: str
    id: int = -1
    #: Whether it may only be out of reach, and come back.
    may_return: bool = False


class TasksReturned(msgspec.Struct, tag=True):
    """Hub: an engine gave back these tasks."""

    uuid: str
    sendings: list[str]


class TasksCancelled(msgspec.Struct, tag=True):
    """Hub: an engine's answer to CancelTasks; see `CancelReply`."""

    uuid: str
    outcomes: dict[str, str]


class LoadRequest(msgspec.Struct, tag=True):
    """Hub, to the scheduler or a relay: what has each engine to do?"""

    number: int


class Stop(msgspec.Struct, tag=True):
    """Hub, to all: it is over."""

    #: Engines that wait for a controller which is gone, and are to be told that it will not come
    #: back; by the control relay.
    engines: list[str] = []


class EngineReached(msgspec.Struct, tag=True):
    """Scheduler or relay: an engine can be reached on its channel."""

    uuid: str


class EngineUnreachable(msgspec.Struct, tag=True):
    """Scheduler or relay: an engine's connection is gone."""

    uuid: str


class RecallTasks(msgspec.Struct, tag=True):
    """Scheduler: have an engine give back those of these tasks that it has not begun."""

    uuid: str
    #: The tasks, each by this sending; see `Job.sending`.
    sendings: list[str]


class CancelTasks(msgspec.Struct, tag=True):
    """Scheduler: have an engine give back these tasks, and interrupt the one of them that runs."""

    uuid: str
    sendings: list[str]
    #: Whether to interrupt that one.
    interrupt: bool = True


class ReplaceEngine(msgspec.Struct, tag=True):
    """Scheduler: kill an engine, and start another in its place."""

    uuid: str
    reason: str


class Load(msgspec.Struct, tag=True):
    """Scheduler or relay: the answer to LoadRequest."""

    number: int
    #: By uuid: the tasks the engine holds, and how many it has completed.
    engines: dict[str, tuple[list[str], int]]
    #: Tasks that are on no engine.
    waiting: list[str] = []


ToScheduler = (
    EngineJoined
    | EngineLeft
    | EngineAway
    | EngineBack
    | Greet
    | ErrandsLost
    | Restoring
    | Restored
    | TasksReturned
    | TasksCancelled
    | LoadRequest
    | Stop
)
ToRelay = (
    EngineLeft
    | EngineAway
    | EngineBack
    | EngineUnknown
    | Greet
    | RestoredDirect
    | LoadRequest
    | Stop
)
ToHub = EngineReached | EngineUnreachable | RecallTasks | CancelTasks | ReplaceEngine | Load

encode = msgspec.msgpack.Encoder().encode
decode_for_scheduler = msgspec.msgpack.Decoder(ToScheduler).decode
decode_for_relay = msgspec.msgpack.Decoder(ToRelay).decode
decode_for_hub = msgspec.msgpack.Decoder(ToHub).decode
