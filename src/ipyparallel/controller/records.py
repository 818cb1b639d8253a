"""The records of tasks: from what the journal tells to what a database keeps.

Which tasks are pending is known here, whatever the database is. All runs on the hub's loop.
"""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ..error import ControllerLost, describe_exception, engine_died, may_have_died
from ..protocol.session import Message, Session, utc_date
from ..util.dates import utcnow
from .databases.base import TaskDatabase
from .databases.nodb import NoDB
from .databases.record import CulledRecord, NoData, UnknownRecord
from .journal import Ended, EngineDied, Forsaken, Journal, MaybeDied, NoJournal, Sent
from .lazy_records import RequestRecord
from .record_output import OutputRecorder
from .restored import RESTORED_FIELDS, RestoredTasks, read_restored

#: Seconds between the first event and a look at the journal: what has come meanwhile is read
#: together.
_DELAY = 0.02

#: Tasks that are known to have ended just now.
_MAX_RECENT = 5_000

#: Seconds after the end of a task in which what it has printed arrives, which takes another way.
_SETTLING = 0.05

#: So many may wait before it is seen who is still there.
_MIN_WAITERS = 200

#: Why a task has ended that was pending when its controller stopped.
_STOPPED = "the controller was stopped before the task had ended"


@dataclass(slots=True)
class Waiter:
    """Somebody who wants to know when tasks have ended."""

    missing: set[str]
    #: Told those that have ended since it was told last.
    tell: Callable[[list[str]], bool]
    ended: list[str] = field(default_factory=list)


class Records:
    """Keeps a database of tasks.

    Parameters
    ----------
    database : TaskDatabase
    payload_limit : int
        Bytes of a request's buffers; larger ones are not kept.
    output_limit : int
        Characters of each stream that are kept of a task.
    """

    def __init__(
        self,
        database: TaskDatabase,
        log: logging.Logger,
        *,
        payload_limit: int,
        output_limit: int,
    ) -> None:
        self.database = database
        self._log = log
        self._loop = asyncio.get_running_loop()
        #: Whether there are records of anything.
        self.keeps_any = not isinstance(database, NoDB)
        self.journal = Journal(self._wake, payload_limit) if self.keeps_any else NoJournal()
        #: The tasks that have not ended, and the engine that has them, if that is known.
        self.pending: dict[str, str] = {}
        #: Tasks of an earlier run that are lost, but for clients that submit them again.
        self.lost: dict[str, str] = {}
        self._outputs = OutputRecorder(database, output_limit, self._is_recent)
        #: Those that have ended last.
        self._recent: OrderedDict[str, None] = OrderedDict()
        self._waiters: dict[str, list[Waiter]] = {}
        #: How many there were when all were looked through last, and how many came since.
        self._left_waiters = self._new_waiters = 0
        #: Those that have just ended.
        self._settling: set[str] = set()
        self._is_due = False

    def close(self) -> None:
        """Take in what has happened, and close the database."""
        self.read()
        self._try(self.database.close)

    # ---- what happens

    def _wake(self) -> None:
        self._loop.call_soon_threadsafe(self._read_soon)

    def _read_soon(self) -> None:
        if not self._is_due:
            self._is_due = True
            self._loop.call_later(_DELAY, self.read)

    def read(self) -> None:
        """Take in what has happened up to now."""
        self._is_due = False
        sent: dict[str, str] = {}
        ends: list[Ended] = []
        for event in self.journal.take():
            # by its type, since asking whether it is a Mapping takes long, for each task
            if type(event) is RequestRecord:
                self._begin(event)
            elif type(event) is Sent:
                sent[event.msg_id] = event.engine_uuid
            elif type(event) is Ended:
                ends.append(event)
            elif type(event) is Forsaken:
                if event.msg_id in self.pending:
                    ends.append(Ended(event.msg_id, event.reply, delivered=False))
            elif type(event) is EngineDied:
                ends += self._ended_by(event)
            elif type(event) is MaybeDied:
                ends += self._maybe_ended_by(event)
        # first, so that a database knows that it need not keep them for long
        self.fetched(end.msg_id for end in ends if end.delivered)
        for msg_id, reply, _ in ends:
            self._end(msg_id, reply)
        for msg_id, uuid in sent.items():
            if msg_id in self.pending:
                self.pending[msg_id] = uuid
                self._try(self.database.update_record, msg_id, {"engine_uuid": uuid})
        self._try(self._outputs.write)
        while len(self._recent) > _MAX_RECENT:
            self._recent.popitem(last=False)
        if ends:
            ended = [end.msg_id for end in ends]
            self._settling.update(ended)
            self._loop.call_later(_SETTLING, self._settled, ended)

    def _begin(self, request: RequestRecord) -> None:
        if self.lost:
            self.lost.pop(request.msg_id, None)
        self.pending[request.msg_id] = request.engine_uuid
        self._try(self.database.add_record, request.msg_id, request)

    def _settled(self, msg_ids: list[str]) -> None:
        """What these tasks have printed is here now."""
        if self._waiters:
            self.read()
        self._settling.difference_update(msg_ids)
        self._tell(msg_ids)

    def expect(self, msg_ids: Iterable[str]) -> None:
        """Tasks are on their way to those who tell of them; until then it is known here."""
        self.pending.update(dict.fromkeys(msg_ids, ""))

    def is_to_come(self, msg_id: str) -> bool:
        """Whether a task has not ended, or has just, so that `when_ended` will tell of it."""
        return msg_id in self.pending or msg_id in self._settling

    def _end(self, msg_id: str, reply: Mapping[str, Any]) -> None:
        self._recent[msg_id] = None
        if self.pending.pop(msg_id, None) is not None:
            self._try(self.database.update_record, msg_id, reply)
        else:
            # It was submitted to an earlier controller, and its record is there if the database
            # outlived that; or it has ended twice.
            self._try(self._end_earlier, msg_id, reply)

    def _end_earlier(self, msg_id: str, reply: Mapping[str, Any]) -> None:
        try:
            known = self.database.get_record(msg_id)["result_content"] or {}
        except UnknownRecord:
            self.database.add_record(msg_id, reply)
        except CulledRecord:
            pass  # it had ended, and its result came twice
        else:
            # A result that is there stays: the engine of an attempt that was given up may come
            # back, and answer otherwise.
            if known.get("status") != "ok":
                self.database.update_record(msg_id, reply)

    def _ended_by(self, event: EngineDied) -> list[Ended]:
        uuid = event.engine_uuid
        ends = []
        for msg_id in event.msg_ids:
            # what else is asked of engines is no task
            if msg_id in self.pending:
                error = engine_died(event.engine_id, msg_id, event.reason)
                ends.append(Ended(msg_id, failure(error, uuid), delivered=False))
        return ends

    def _maybe_ended_by(self, event: MaybeDied) -> list[Ended]:
        ends = []
        for msg_id, uuid in self.pending.items():
            if not uuid:
                error = may_have_died(event.engine_id, msg_id, event.reason)
                ends.append(Ended(msg_id, failure(error, ""), delivered=False))
        return ends

    def _is_recent(self, msg_id: str) -> bool:
        return msg_id in self.pending or msg_id in self._recent

    def output(self, message: Message) -> None:
        """An engine published something that belongs to a task."""
        self._try(self._outputs.record, message)
        self._read_soon()

    def restore(self, holding: Collection[str], session: Session) -> RestoredTasks:
        """Take over the tasks that a database from an earlier run has as pending.

        Parameters
        ----------
        holding : collection of str
            See `read_restored`.
        """
        try:
            self.read()
            left = [
                record
                for record in self._left_over(RESTORED_FIELDS)
                if record["msg_id"] not in self.pending
            ]
            found = read_restored(left, holding, session, self.database.get_record)
        except Exception:  # noqa: BLE001  (as in `_try`)
            self._log.exception("The tasks of an earlier run cannot be read")
            return RestoredTasks()
        self.pending.update(found.pending)
        self.lost.update(found.lost)
        self._abandon(found.lost)
        return found

    def abandon_pending(self) -> None:
        """Have the tasks end that a database from an earlier run has as pending."""
        self._try(self._abandon_all)

    def _abandon_all(self) -> None:
        left = self._left_over(["msg_id", "engine_uuid"])
        self._abandon({record["msg_id"]: record["engine_uuid"] or "" for record in left})

    def _left_over(self, fields: Iterable[str]) -> list[dict[str, Any]]:
        """The records of tasks that had not ended when their controller did."""
        if not self.keeps_any:
            return []
        left = self.database.find_records({"completed": None}, fields)
        if left and not self.database.is_alone:
            self._log.info("Another controller keeps its records in the same place, too")
            return []  # nobody can tell which are whose
        return left

    def _abandon(self, lost: Mapping[str, str]) -> None:
        for msg_id, uuid in lost.items():
            error = ControllerLost(f"task {msg_id} has no result: {_STOPPED}")
            self._try(self.database.update_record, msg_id, failure(error, uuid))
        if lost:
            self._log.warning("%d tasks were lost when their controller stopped", len(lost))

    # ---- who asks

    def fetched(self, msg_ids: Iterable[str]) -> None:
        """The results of these have reached who asked for them."""
        self._try(self.database.fetched, msg_ids)

    def completed_on(self, engine_uuid: str) -> list[str]:
        """The tasks that an engine has completed, as far as there are records of them."""
        self.read()
        query = {"engine_uuid": engine_uuid, "completed": {"$ne": None}}
        try:
            found = self.database.find_records(query, ["msg_id"])
        except NoData:
            return []
        return [record["msg_id"] for record in found]

    def when_ended(self, msg_ids: Iterable[str], tell: Callable[[list[str]], bool]) -> None:
        """Call `tell` with those of these tasks, all of which are to come, that have ended;
        as often as some have, until all have.

        Parameters
        ----------
        tell : callable
            Whether there is still somebody to tell. Called with nothing now and then, to see.
        """
        waiter = Waiter(set(msg_ids), tell)
        for msg_id in waiter.missing:
            self._waiters.setdefault(msg_id, []).append(waiter)
        self._new_waiters += 1
        if self._new_waiters > max(_MIN_WAITERS, self._left_waiters):
            self._drop_absent()

    def _drop_absent(self) -> None:
        """Forget who has gone while it waited; asked for whenever there may be twice as many."""
        everybody = {id(waiter): waiter for each in self._waiters.values() for waiter in each}
        present = {key for key, waiter in everybody.items() if self._told(waiter)}
        for msg_id, waiters in list(self._waiters.items()):
            waiters[:] = [waiter for waiter in waiters if id(waiter) in present]
            if not waiters:
                del self._waiters[msg_id]
        self._left_waiters, self._new_waiters = len(present), 0

    def _tell(self, ended: list[str]) -> None:
        if not self._waiters:
            return
        told = {}
        for msg_id in ended:
            for waiter in self._waiters.pop(msg_id, ()):
                waiter.missing.discard(msg_id)
                waiter.ended.append(msg_id)
                told[id(waiter)] = waiter
        for waiter in told.values():
            self._told(waiter)

    def _told(self, waiter: Waiter) -> bool:
        """Tell one what there is to tell; whether it is still there."""
        news, waiter.ended = waiter.ended, []
        return waiter.tell(news)

    def _try(self, call: Callable[..., object], *args: Any) -> None:
        """Have the database do something; tasks must not suffer if it fails."""
        try:
            call(*args)
        except Exception:  # noqa: BLE001  (a disk may be full, and a class may be a user's)
            self._log.exception("The database of tasks failed")


def failure(error: BaseException, engine_uuid: str) -> dict[str, Any]:
    """What is to be put into the record of a task that has ended without a reply."""
    now = utcnow()
    return {
        "engine_uuid": engine_uuid or None,
        "completed": now,
        "received": now,
        "result_header": {"date": utc_date()},
        "result_metadata": {"status": "error", "engine": engine_uuid, "date": utc_date()},
        "result_content": describe_exception(error),
        "result_buffers": [],
    }
