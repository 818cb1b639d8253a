"""Requests to cancel tasks: who is asked, what they answer, and what becomes of the tasks then.

The scheduler is asked for balanced tasks, and engines for direct ones: one request each, however
many tasks there are. A task ends here as soon as it is known where it was; what is still heard of
it then does not count. The answers are handled in the I/O thread, so that it makes no difference
whether somebody waits for them, or was interrupted while waiting.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ...error import ControllerLost, RemoteError, TaskAborted, TaskCancelled
from ...protocol.messages import CancelRequest
from .cancellation import CANCELLED, PLACES, Cancellation
from .interrupts import InterruptsHeld
from .resolving import error_of, resolve

if TYPE_CHECKING:
    from .messenger import Messenger
    from .tasks import MessageFuture

#: Seconds that scheduler and engines have to answer: then the tasks are taken for cancelled. One
#: that is in the middle of some C code answers when it is out of there, and interrupts itself.
PATIENCE = 5.0

#: How many tasks more they may have to look for in a second.
_PACE = 5_000

#: What may be said of a task.
_SAID = (*PLACES, "spared")

#: In the place of an engine's uuid.
_SCHEDULER = ""

#: Of what several say about a task the first counts. An engine that does not know it says that it
#: is queued, which is true in so far as it will not be run there; the scheduler, that it is
#: finished, which is taken for unknown.
_WEIGHT = ("running", "waiting", "finished", "queued", "unconfirmed", "unknown")


class Cancelling:
    """Some tasks that are to end, and what is known of them so far.

    Parameters
    ----------
    messenger : Messenger
    error : type
        What the tasks fail with: TaskCancelled makes them cancelled futures, too.
    result : MessageFuture
        Gets the `Cancellation`.
    interrupt : bool
        Whether those that run are cancelled, too.
    """

    def __init__(
        self,
        messenger: Messenger,
        error: type[TaskAborted],
        result: MessageFuture,
        interrupt: bool = True,
    ) -> None:
        self.result = result
        self._interrupt = interrupt
        self._messenger = messenger
        self._error = error
        self._places: dict[str, str] = {}
        #: Those that ended without our doing.
        self.finished: set[str] = set()
        self._requests: list[MessageFuture] = []
        #: By id, how many of those who were asked have not answered.
        self._asked: dict[str, int] = {}
        #: By id, what those have said who have answered, as long as others have not.
        self._said: dict[str, list[str]] = {}
        #: Tasks that may be on engines that are not asked.
        self._maybe_elsewhere: set[str] = set()
        self._left = 1  # whoever makes this, until all are asked
        self._lock = threading.Lock()
        self._timer = threading.Timer(PATIENCE, self.settle)
        self._timer.daemon = True

    # ---- asking

    def begin(self, msg_ids: Iterable[str], engines: Sequence[str] | None) -> None:
        """Ask for these tasks.

        Parameters
        ----------
        engines : sequence of str, optional
            Uuids of the only ones to be asked.
        """
        with InterruptsHeld():
            asked = self._divide(msg_ids, engines)
            scheduled = asked.pop(_SCHEDULER, None)
            if scheduled and engines is not None:
                self._ask_for_those_on(engines, scheduled)
            elif scheduled:
                self._ask(_SCHEDULER, scheduled)
            for uuid, ids in asked.items():
                self._ask(uuid, ids)
            if self._requests:
                self._timer.interval = PATIENCE + len(self._asked) / _PACE
                self._timer.start()
            self._answered_one()

    def _divide(
        self, msg_ids: Iterable[str], engines: Sequence[str] | None
    ) -> dict[str, list[str]]:
        """Whom to ask for which tasks, by the uuids of engines."""
        messenger = self._messenger
        here = set(messenger.engines.uuids.values())
        if engines is not None:
            here.intersection_update(engines)
        asked: dict[str, list[str]] = {}
        for msg_id in dict.fromkeys(msg_ids):
            task = messenger.tasks.pending.get(msg_id)
            if task is not None:
                if task.canceller is None or (task.unsent and engines is not None):
                    continue
                if task.unsent and messenger.late.withdraw(task):
                    self._end(msg_id, "waiting")
                    continue
            elif messenger.tasks.find(msg_id) or msg_id.startswith(messenger.session.id_prefix):
                self._places[msg_id] = "finished"
                continue
            places = self._whom(task, here, engines is None)
            if task is not None and engines is None:
                task.cancelling = self
                if not places:
                    self._places[msg_id] = "finished"  # its engine has just died
            for place in places:
                asked.setdefault(place, []).append(msg_id)
            if engines is not None and (task is None or not task.engine_uuid):
                self._maybe_elsewhere.add(msg_id)
        return asked

    def _whom(self, task: MessageFuture | None, here: set[str], all_engines: bool) -> list[str]:
        """Whom to ask for a task; None: another client's."""
        has_scheduler = self._messenger.has_scheduler
        if task is None or task.fetched:
            return [*here, _SCHEDULER] if has_scheduler and all_engines else [*here]
        if task.engine_uuid:
            return [task.engine_uuid] if task.engine_uuid in here else []
        return [_SCHEDULER] if has_scheduler else [*here]

    def _ask_for_those_on(self, engines: Sequence[str], ids: list[str]) -> None:
        """Ask the scheduler for those of these tasks that are on these engines."""
        ids_of_engines = [self._messenger.engines.id_of(uuid) for uuid in engines]
        content = {"targets": [i for i in ids_of_engines if i is not None], "verbose": True}
        with self._lock:
            self._left += 1
        request = self._messenger.request("query", "queue_request", content)
        self._requests.append(request)

        def on_answer(_: object) -> None:
            load = request.result() if error_of(request) is None else {}
            lists = [queue["tasks"] for queue in load.values() if isinstance(queue, dict)]
            found = set(ids).intersection(set().union(*lists))
            self._maybe_elsewhere -= found
            if found:
                self._ask(_SCHEDULER, list(found))
            self._answered_one()

        request.add_done_callback(on_answer)

    def _ask(self, uuid: str, ids: list[str], is_old: bool = False) -> None:
        """Send one request, if need be in the form that every ipyparallel understands."""
        is_old = is_old or uuid in self._messenger.engines.foreign
        msg_type = "abort_request" if is_old else "cancel_request"
        channel = "control" if uuid else "task"
        with self._lock:
            self._left += 1
            for msg_id in ids:
                self._asked[msg_id] = self._asked.get(msg_id, 0) + 1
                if (task := self._messenger.tasks.pending.get(msg_id)) is not None:
                    task.cancelling = self
        try:
            content = CancelRequest(ids, interrupt=self._interrupt)
            request = self._messenger.request(channel, msg_type, content, uuid)
        except (ControllerLost, OSError):
            self._answer(ids, {}, "finished")  # they have failed, as everything has
            return
        self._requests.append(request)
        request.add_done_callback(lambda _: self._on_answer(request, uuid, ids, is_old))

    # ---- answers, in the I/O thread

    def _on_answer(self, request: MessageFuture, uuid: str, ids: list[str], is_old: bool) -> None:
        outcomes, otherwise = {}, "unconfirmed" if is_old else "finished"
        try:
            content = request.result()
        except RemoteError:
            otherwise = "unknown"
            if not is_old:
                # it is not told how to cancel; nor is it known who has the tasks
                for engine in [uuid] if uuid else self._messenger.engines.uuids.values():
                    self._ask(engine, ids, is_old=True)
        except Exception:  # noqa: BLE001  (its engine died, or all is over: the tasks fail, too)
            otherwise = "finished"
        else:
            if isinstance(content, dict) and isinstance(content.get("outcomes"), dict):
                outcomes = {i: p for i, p in content["outcomes"].items() if p in _SAID}
        if uuid == _SCHEDULER:
            outcomes = {i: "unknown" if p == "finished" else p for i, p in outcomes.items()}
        # it runs, and goes on: like one that is just ending
        outcomes = {i: "finished" if p == "spared" else p for i, p in outcomes.items()}
        self._answer(ids, outcomes, otherwise)

    def _answer(self, ids: list[str], outcomes: Mapping[str, Any], otherwise: str) -> None:
        for msg_id in ids:
            place = outcomes.get(msg_id, otherwise)
            self._asked[msg_id] -= 1
            if self._asked[msg_id]:
                self._said.setdefault(msg_id, []).append(place)
                continue
            if msg_id in self._said:
                place = min([place, *self._said.pop(msg_id)], key=_WEIGHT.index)
            if place == "queued" and msg_id in self._maybe_elsewhere:
                place = "unconfirmed"  # whoever has it was not asked
            if place in CANCELLED:
                self._end(msg_id, place)
            else:
                self._escaped(msg_id, "finished" if place == "unknown" else place)
        self._answered_one()

    def _end(self, msg_id: str, where: str) -> None:
        """A task was cancelled."""
        task = self._messenger.tasks.find(msg_id)
        if task is None:
            self._places[msg_id] = where  # another client's
        elif self._messenger.end_cancelled(task, where, self._error(self._text(task, where))):
            self._places[msg_id] = where
        else:
            self._places.setdefault(msg_id, "finished")

    def _escaped(self, msg_id: str, place: str) -> None:
        """A task was not cancelled, by any of those who were asked."""
        task = self._messenger.tasks.find(msg_id)
        if task is not None and task.held is not None:
            if isinstance(task.held, TaskAborted):
                self._end(msg_id, _where_aborted(task))
                return
            error, task.held = task.held, None
            resolve(task, None, error)
        self._places.setdefault(msg_id, place)

    def _text(self, task: MessageFuture, where: str) -> str:
        what = "cancelled" if self._error is TaskCancelled else "aborted"
        if where != "running":
            return f"task {task.msg_id} was {what} before it began"
        on = f" on engine {task.engine_id}" if task.engine_id is not None else ""
        return f"task {task.msg_id} was {what} while it ran{on}"

    def takes(self, task: MessageFuture, error: BaseException) -> bool:
        """Whether the reply that a task has failed is this one's affair; in the I/O thread.

        It may be here before the answer that tells why, which takes another way.
        """
        if task.msg_id not in self._places and not self.result.done():
            task.held = error
            return True
        if not isinstance(error, TaskAborted):
            return False
        task.held = error
        self._end(task.msg_id, _where_aborted(task))
        return True

    # ---- the end

    def wait(self) -> None:
        """Wait until all is known, at most `PATIENCE`."""
        self.result.result()

    def settle(self) -> None:
        """Wait no longer: what has not been answered for is taken for cancelled."""
        for msg_id, left in list(self._asked.items()):
            if left and msg_id not in self._places:
                self._end(msg_id, self._guess(msg_id))
        self._conclude()

    def _guess(self, msg_id: str) -> str:
        task = self._messenger.tasks.find(msg_id)
        if task is None or (not task.engine_uuid and task.engine_id is None):
            return "waiting"
        return "running" if task.output_seen else "queued"

    def _answered_one(self) -> None:
        with self._lock:
            self._left -= 1
            if self._left:
                return
        self._conclude()

    def _conclude(self) -> None:
        self._timer.cancel()
        self._messenger.withdraw(self._requests)
        self.finished = {i for i, place in self._places.items() if place == "finished"}
        self.result.output_expected = 0
        resolve(self.result, Cancellation.of(self._places.items()))


def _where_aborted(task: MessageFuture) -> str:
    """Where a task was that was aborted, by the reply that says so: one that ran tells how long."""
    reply = task.reply_metadata
    return "running" if reply is not None and isinstance(reply.elapsed, float) else "queued"
