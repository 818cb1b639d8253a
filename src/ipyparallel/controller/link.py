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


class EngineLeft(msgspec.Struct, tag=True):
    """Hub, to all: an engine is gone, and why."""

    uuid: str
    reason: str
    id: int = -1


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


class EngineReached(msgspec.Struct, tag=True):
    """Scheduler: an engine reported on the task channel."""

    uuid: str


class EngineUnreachable(msgspec.Struct, tag=True):
    """Scheduler: an engine's connection is gone."""

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


ToScheduler = EngineJoined | EngineLeft | TasksReturned | TasksCancelled | LoadRequest | Stop
ToRelay = EngineLeft | LoadRequest | Stop
ToHub = EngineReached | EngineUnreachable | RecallTasks | CancelTasks | ReplaceEngine | Load

encode = msgspec.msgpack.Encoder().encode
decode_for_scheduler = msgspec.msgpack.Decoder(ToScheduler).decode
decode_for_relay = msgspec.msgpack.Decoder(ToRelay).decode
decode_for_hub = msgspec.msgpack.Decoder(ToHub).decode
