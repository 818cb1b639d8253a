"""Tasks that had not ended when an earlier run of the controller did, by records that outlived it.

Balanced ones go to the scheduler again, which knows by then which of them engines hold. Direct ones
that engines hold are awaited. Whatever else there was is lost: it was on its way. A client that is
still there is told that nothing is known of it, and sends it again; for all others it has failed.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from ..protocol.messages import Header, encode
from ..protocol.session import Session
from ..scheduling.dependencies import Dependency
from ..scheduling.state import msg_id_of
from . import link

#: What has to be known of such a task.
RESTORED_FIELDS = (
    "msg_id",
    "header",
    "metadata",
    "content",
    "buffers",
    "client_uuid",
    "engine_uuid",
    "queue",
)


@dataclass
class RestoredTasks:
    """Tasks of an earlier run, by what becomes of them."""

    #: Requests for the scheduler, each with the client's identity first.
    balanced: list[list[bytes]] = field(default_factory=list)
    direct: list[link.DirectTask] = field(default_factory=list)
    #: How those ended that the balanced ones depend on.
    ended: list[link.EndedTask] = field(default_factory=list)
    #: The ids of those that are awaited, and the engine of each, if that is known.
    pending: dict[str, str] = field(default_factory=dict)
    #: The ids of those that are lost, and the engine of each, if that is known.
    lost: dict[str, str] = field(default_factory=dict)


def read_restored(
    records: Collection[dict[str, Any]],
    holding: Collection[str],
    session: Session,
    get_record: Callable[[str], dict[str, Any]],
) -> RestoredTasks:
    """Sort the tasks of an earlier run.

    Parameters
    ----------
    records : collection of dict
        Of the tasks that had not ended, with the fields `RESTORED_FIELDS`.
    holding : collection of str
        What engines hold that are back: direct tasks by their ids, balanced ones as they were sent.
    session : Session
        Signs the requests.
    get_record : callable
        Gives the record of any other task; raises KeyError if there is none.
    """
    held = {*holding, *map(msg_id_of, holding)}
    found = RestoredTasks()
    named: set[str] = set()
    for record in records:
        msg_id, uuid = record["msg_id"], record["engine_uuid"] or ""
        is_balanced = record["queue"] == "task"
        if is_balanced and record["buffers"]:
            found.balanced.append(_request(record, session))
            named.update(_depends_on(record["metadata"] or {}))
        elif msg_id not in held or not record["header"]:
            found.lost[msg_id] = uuid
            continue
        elif not is_balanced:
            header = encode(_header(record["header"]))
            client = str(record["client_uuid"]).encode()
            found.direct.append(link.DirectTask(uuid, msg_id, client, header))
        found.pending[msg_id] = uuid
    for msg_id in named - found.pending.keys():
        with suppress(KeyError):
            found.ended.append(_ended(get_record(msg_id)))
    return found


def _depends_on(metadata: dict[str, Any]) -> set[str]:
    """The ids of the tasks that a task names, if it says so as it should."""
    named: set[str] = set()
    for name in ("after", "follow"):
        with suppress(TypeError, ValueError):
            named |= Dependency(metadata.get(name) or ())
    return named


def _ended(record: dict[str, Any]) -> link.EndedTask:
    ok = (record["result_content"] or {}).get("status") == "ok"
    return link.EndedTask(record["msg_id"], ok, record["engine_uuid"] or "")


def _request(record: dict[str, Any], session: Session) -> list[bytes]:
    """The request, as it came, but for its signature: an engine may have seen that."""
    frames = session.frame(
        _header(record["header"]),
        record["content"],
        metadata=record["metadata"],
        buffers=record["buffers"],
    )
    # clients of this package connect under the id of their session
    return [str(record["client_uuid"]).encode(), *map(bytes, frames)]


def _header(known: dict[str, Any]) -> Header:
    return Header(**{name: str(known.get(name, "")) for name in Header.__struct_fields__})
