"""What clients ask the hub about tasks: their results, their records, and to run them again."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any

from ..protocol.messages import (
    DatabaseRequest,
    MsgIdsRequest,
    PurgeRequest,
    ResultRequest,
    TaskOutcome,
)
from ..protocol.session import Message
from ..util.dates import _parse_date
from .answers import Reply, guarded, refusal, select
from .databases.base import UnknownRecord

if TYPE_CHECKING:
    from .hub import Hub

#: Fields of a record that are moments.
_MOMENTS = ("submitted", "started", "completed", "received")

#: Fields of a record that are lists of bytes, which travel as buffers.
_BUFFERS = ("buffers", "result_buffers")

#: Fields of a record that are output.
_OUTPUT = ("execute_input", "execute_result", "error", "stdout", "stderr")


def results(hub: Hub, message: Message, reply: Reply) -> None:
    """What became of tasks."""
    request: ResultRequest = message.read_content(ResultRequest)
    if not request.wait:
        _when_noted(hub, message, reply, partial(_tell_now, hub, request, reply))
        return

    def answer_or_look_again() -> None:
        hub.records.read()
        if not _tell_ends(hub, request, reply, is_final=False):
            # one that is not known may have been submitted just now
            _when_noted(hub, message, reply, look_again)

    def look_again() -> None:
        hub.records.read()
        _tell_ends(hub, request, reply, is_final=True)

    # a client that has connected again submits what is lost; only then it is known what is
    hub.restoration.when_over(partial(guarded, hub.log, message, reply, answer_or_look_again))


def _when_noted(hub: Hub, message: Message, reply: Reply, answer: Callable[[], object]) -> None:
    """Answer when all is known that has passed through somebody's hands by now.

    Clients get a result before it is noted, and a task is noted when it passes on.
    """
    hub.ask_load(lambda direct, balanced: guarded(hub.log, message, reply, answer))


def _tell_now(hub: Hub, request: ResultRequest, reply: Reply) -> None:
    """Answer once."""
    hub.records.read()
    found = _Results()
    for msg_id in request.msg_ids:
        if msg_id in hub.records.pending:
            found.pending.append(msg_id)
            continue
        try:
            found.add(hub, msg_id, request.status_only)
        except UnknownRecord as e:
            reply("result_reply", refusal(e))
            return
    found.send(hub, reply)


def _tell_ends(hub: Hub, request: ResultRequest, reply: Reply, is_final: bool) -> bool:
    """Answer, and again whenever tasks have ended.

    Returns
    -------
    bool
        False if something is not known, and this was not the final attempt: nothing was answered.
    """
    missing: set[str] = set()

    def look(msg_ids: Collection[str], is_final: bool) -> _Results | None:
        found = _Results()
        missing.difference_update(msg_ids)
        missing.update(filter(hub.records.is_to_come, msg_ids))
        for msg_id in msg_ids:
            if msg_id in missing:
                continue
            if msg_id in hub.records.lost:
                found.unknown[msg_id] = f"message {msg_id!r} was lost with an earlier controller"
                continue
            try:
                found.add(hub, msg_id, request.status_only)
            except KeyError as e:
                if isinstance(e, UnknownRecord) and not is_final:
                    return None
                found.unknown[msg_id] = str(e)
        found.pending = sorted(missing)
        return found

    def send(found: _Results, msg_ids: Collection[str]) -> bool:
        is_there = found.send(hub, reply)
        to_come = missing.intersection(msg_ids)
        if to_come and is_there:
            hub.records.when_ended(to_come, tell)
        return is_there

    def tell(msg_ids: Collection[str]) -> bool:
        try:
            found = look(msg_ids, is_final=True)
            assert found is not None
            return send(found, msg_ids)
        except Exception as e:  # a database may fail; who waits must not wait for ever
            hub.log.exception("A result_request failed")
            return reply("hub_error", refusal(e))

    all_ids = dict.fromkeys(request.msg_ids).keys()
    found = look(all_ids, is_final)
    if found is not None:
        send(found, all_ids)
    return found is not None


class _Results:
    """A `ResultReply` that is being filled."""

    def __init__(self) -> None:
        self.pending: list[str] = []
        self.unknown: dict[str, str] = {}
        self._outcomes: dict[str, TaskOutcome | None] = {}
        self._buffers: dict[str, list[bytes]] = {}

    def add(self, hub: Hub, msg_id: str, status_only: bool) -> None:
        """Add a task that has ended; KeyError says why nothing is known of it."""
        record = hub.records.database.get_record(msg_id)
        if record["completed"] is None:
            # a database that outlived the controller that the task was submitted to
            self.pending.append(msg_id)
            return
        if status_only:
            self._outcomes[msg_id] = None
            return
        buffers = record["result_buffers"] or []
        self._outcomes[msg_id] = TaskOutcome(
            header=record["header"] or {},
            metadata=record["metadata"] or {},
            result_header=record["result_header"] or {},
            result_metadata=record["result_metadata"] or {},
            result_content=record["result_content"] or {},
            received=_text(record["received"]),
            io={name: record[name] for name in _OUTPUT},
            result_buffers=len(buffers),
        )
        self._buffers[msg_id] = buffers

    def send(self, hub: Hub, reply: Reply) -> bool:
        """Answer; whether who asked is still there."""
        content: dict[str, Any] = {
            "status": "ok",
            "pending": self.pending,
            "completed": list(self._outcomes),
        }
        if self.unknown:
            # only who waits is told so; clients of the published package know nothing of it
            content["unknown"] = self.unknown
        content |= {i: outcome for i, outcome in self._outcomes.items() if outcome is not None}
        buffers = [buffer for i in sorted(self._buffers) for buffer in self._buffers[i]]
        is_there = reply("result_reply", content, buffers)
        if is_there:
            hub.records.fetched(self._buffers)
        return is_there


def history(hub: Hub, message: Message, reply: Reply) -> None:
    """The ids of all tasks that there are records of, in the order of submission."""
    hub.records.read()
    reply("history_reply", {"status": "ok", "history": hub.records.database.get_history()})


def records(hub: Hub, message: Message, reply: Reply) -> None:
    """The records that a query matches."""
    request: DatabaseRequest = message.read_content(DatabaseRequest)
    _when_noted(hub, message, reply, partial(_tell_records, hub, request, reply))


def _tell_records(hub: Hub, request: DatabaseRequest, reply: Reply) -> None:
    hub.records.read()
    found = hub.records.database.find_records(_with_dates(request.query), request.keys)
    buffers: list[bytes] = []
    lengths: dict[str, list[int] | None] = {
        name: [] if request.keys is not None and name in request.keys else None for name in _BUFFERS
    }
    for record in found:
        for name in _BUFFERS:
            own = record.pop(name, None) or []
            known = lengths[name]
            if known is not None:
                known.append(len(own))
                buffers += own
        for name in _MOMENTS:
            if name in record:
                record[name] = _text(record[name])
    content = {
        "status": "ok",
        "records": found,
        "buffer_lens": lengths["buffers"],
        "result_buffer_lens": lengths["result_buffers"],
    }
    reply("db_reply", content, buffers)


def _with_dates(query: Mapping[str, Any]) -> dict[str, Any]:
    """The query, with moments in the place of their texts."""
    return {name: _dates(test) if name in _MOMENTS else test for name, test in query.items()}


def _dates(test: Any) -> Any:
    if isinstance(test, dict):
        return {name: _dates(value) for name, value in test.items()}
    if isinstance(test, list):
        return [_dates(value) for value in test]
    return _parse_date(test)


def _text(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()


def purge(hub: Hub, message: Message, reply: Reply) -> None:
    """Forget tasks that have ended."""
    request: PurgeRequest = message.read_content(PurgeRequest)
    hub.records.read()
    database = hub.records.database
    try:
        if request.msg_ids == "all":
            database.drop_matching_records({"completed": {"$ne": None}})
        else:
            named = [request.msg_ids] if isinstance(request.msg_ids, str) else request.msg_ids
            for msg_id in named:
                if msg_id in hub.records.pending:
                    raise IndexError(f"msg pending: {msg_id!r}")
            uuids = [_uuid(hub, engine_id) for engine_id in request.engine_ids]
            for msg_id in named:
                with suppress(KeyError):  # it was forgotten before
                    database.drop_record(msg_id)
            for uuid in uuids:
                database.drop_matching_records({"engine_uuid": uuid, "completed": {"$ne": None}})
    except (IndexError, KeyError) as e:
        reply("purge_reply", refusal(e))
    else:
        reply("purge_reply", {"status": "ok"})


def _uuid(hub: Hub, engine_id: int) -> str:
    engine = hub.registry.by_id(engine_id)
    if engine is None:
        raise IndexError(f"No such engine: {engine_id}")
    return engine.uuid


def load(hub: Hub, message: Message, reply: Reply) -> None:
    """How many tasks each engine has."""
    engines = select(hub.registry, message.content().get("targets"))

    def tell(direct: Any, balanced: Any) -> None:
        content: dict[str, Any] = {"status": "ok"}
        for engine in engines:
            parts = (load.engines.get(engine.uuid, ([], 0))[0] for load in (direct, balanced))
            content[str(engine.id)] = sum(map(len, parts))
        reply("load_reply", content)

    hub.ask_load(lambda *loads: guarded(hub.log, message, reply, partial(tell, *loads)))


def resubmit(hub: Hub, message: Message, reply: Reply) -> None:
    """Run tasks again, as new ones."""
    request: MsgIdsRequest = message.read_content(MsgIdsRequest)
    hub.records.read()
    try:
        new = hub.resubmission.submit(dict.fromkeys(request.msg_ids))
        hub.records.expect(new.values())
    except (KeyError, ValueError) as e:
        reply("resubmit_reply", refusal(e))
    else:
        reply("resubmit_reply", {"status": "ok", "resubmitted": new})


HANDLERS: dict[str, Callable[[Hub, Message, Reply], None]] = {
    "db_request": records,
    "history_request": history,
    "load_request": load,
    "purge_request": purge,
    "result_request": results,
    "resubmit_request": resubmit,
}
