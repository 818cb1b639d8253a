"""Tasks that are run again, from their records: as new ones, of whoever submitted them first."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from ..protocol.messages import Header
from ..protocol.session import Session
from ..transport.sockets import HUB
from .databases.base import TaskDatabase
from .databases.record import CulledRecord, NoData
from .registry import Registry

#: Identity under which the hub is a client of the task scheduler.
RESUBMITTER = HUB + b".resubmitter"

#: Sends a request: on the direct channel if an engine (uuid) is named, else to the scheduler.
Send = Callable[[str, list[Any]], None]


class Resubmission:
    """Submits tasks again that there are records of.

    Parameters
    ----------
    session : Session
    database : TaskDatabase
    registry : Registry
        The engines: tasks go to those that they were for, or to those that have their ids now.
    send : callable
    """

    def __init__(
        self, session: Session, database: TaskDatabase, registry: Registry, send: Send
    ) -> None:
        self._session = session
        self._database = database
        self._registry = registry
        self._send = send

    def submit(self, msg_ids: Iterable[str]) -> dict[str, str]:
        """Submit tasks again: all of them, or none.

        Returns
        -------
        dict
            The new ids, by the old ones.

        Raises
        ------
        KeyError
            Of some there is no record (any more); the text says why.
        ValueError
            Some cannot be run again; the text says why.
        """
        records = {}
        unknown = []
        for msg_id in msg_ids:
            try:
                records[msg_id] = self._database.get_record(msg_id)
            except (NoData, CulledRecord):
                raise
            except KeyError:
                unknown.append(msg_id)
        if unknown:
            raise KeyError(f"No such msg(s): {unknown}")
        prepared = [(msg_id, *self._prepare(record)) for msg_id, record in records.items()]
        new = {}
        for msg_id, engine, header, frames in prepared:
            self._send(engine, frames)
            new[msg_id] = header.msg_id
            self._database.update_record(msg_id, {"resubmitted": header.msg_id})
        return new

    def _prepare(self, record: dict[str, Any]) -> tuple[str, Header, list[Any]]:
        """The engine, if it has to be one, the header, and the frames of the new task."""
        msg_id, old = record["msg_id"], record["header"] or {}
        msg_type = old.get("msg_type")
        if msg_type == "apply_request" and not record["buffers"]:
            raise ValueError(
                f"task {msg_id} cannot be run again: its arguments were too large to be kept"
                " (TaskRecords.payload_limit is the limit, in bytes)"
            )
        engine = ""
        if record["queue"] == "mux":
            engine = self._registry.successor(record["engine_uuid"] or "")
            if not engine and msg_type != "apply_request":
                raise ValueError(f"code {msg_id} cannot be run again: its engine is gone")
        metadata = dict(record["metadata"] or {})
        if metadata.get("targets"):
            # those that are gone stay in it: the scheduler says what that means
            targets = metadata["targets"]
            metadata["targets"] = [self._registry.successor(uuid) or uuid for uuid in targets]
        fresh = self._session.header(msg_type or "")
        header = Header(
            fresh.msg_id,
            fresh.msg_type,
            old.get("username", ""),
            old.get("session", ""),
            fresh.date,
            fresh.version,
        )
        frames = self._session.frame(
            header, record["content"], metadata=metadata, buffers=record["buffers"] or ()
        )
        return engine, header, frames
