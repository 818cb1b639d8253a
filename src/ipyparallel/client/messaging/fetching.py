"""Results that the hub tells: of other clients' tasks, and of those that were forgotten here.

One request names many tasks. The hub answers it at once, with those that have ended, and again
whenever more of them have, until none is pending: nobody polls. Each task ends here as it would by
its own reply, which is what the hub has kept of it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import msgspec

from ...error import unwrap_exception
from ...protocol.messages import (
    UNREADABLE,
    Header,
    ResultReply,
    ResultRequest,
    TaskOutcome,
    encode,
)
from ...protocol.session import Message, parse_date
from ...serialize.exceptions import read_exception
from .recording import StreamText
from .serving import serve_meanwhile
from .tasks import MessageFuture

if TYPE_CHECKING:
    from .messenger import Messenger

#: How many tasks one request names at most: its answer is one message.
MOST = 10_000

#: Called with a task that the hub does not know (any more), and why; in the I/O thread.
OnUnknown = Callable[[MessageFuture, str], None]


class Fetching:
    """Asks the hub for results.

    Parameters
    ----------
    messenger : Messenger
    """

    def __init__(self, messenger: Messenger) -> None:
        self._messenger = messenger
        #: Held while tasks are looked for, and made: there shall be one future a task.
        self._lock = threading.Lock()

    def tasks(self, msg_ids: Iterable[str]) -> list[MessageFuture]:
        """The tasks of these ids: those that are known here, and for the others new ones, which
        the hub is asked for.

        Raises
        ------
        NotImplementedError
            The controller is of the published ipyparallel, and would have to be polled.
        ControllerLost
            There is nobody to ask.
        """
        msg_ids = list(msg_ids)
        tasks = self.known(msg_ids)
        if len(tasks) < len(set(msg_ids)):
            self.check()
            with self._lock:
                tasks = self.known(msg_ids)
                new = {msg_id: self._task(msg_id) for msg_id in msg_ids if msg_id not in tasks}
                self.fetch(list(new.values()))
                tasks.update(new)
        return [tasks[msg_id] for msg_id in msg_ids]

    def check(self) -> None:
        """Raise what `tasks` raises if the hub cannot be asked."""
        self._messenger.check()
        if not self._messenger.is_native:
            raise NotImplementedError(
                "the controller is of the published ipyparallel, which this version cannot ask"
                " for results; db_query tells what it knows"
            )

    def known(self, msg_ids: Iterable[str]) -> dict[str, MessageFuture]:
        """Those of the tasks of these ids that are known here, by their ids."""
        find = self._messenger.tasks.find
        found = [task for msg_id in msg_ids if (task := find(msg_id)) is not None]
        # the hub may know later what it did not know
        return {task.msg_id: task for task in found if not _was_asked_for_in_vain(task)}

    def _task(self, msg_id: str) -> MessageFuture:
        task = MessageFuture(Header(msg_id, ""))
        task.fetched = True
        task.canceller = self._messenger
        if self._messenger.host is not None:
            serve_meanwhile(task, self._messenger.host)
        return task

    def fetch(
        self,
        tasks: Sequence[MessageFuture],
        on_unknown: OnUnknown | None = None,
        on_answer: Callable[[], None] | None = None,
    ) -> int:
        """Have tasks end as the hub tells.

        Parameters
        ----------
        tasks : sequence of MessageFuture
            Pending ones, or new ones.
        on_unknown : callable, optional
            What becomes of those that the hub does not know (any more); by default they fail with
            a KeyError, which is a `RemoteError`, too.
        on_answer : callable, optional
            Called once for each request, when the hub has said what it knows by now; in the I/O
            thread.

        Returns
        -------
        int
            How many requests there are.

        Raises
        ------
        ControllerLost
            There is nobody to ask.
        """
        messenger = self._messenger
        pending = messenger.tasks.pending
        new = [task for task in tasks if task.msg_id not in pending]
        messenger.expect(*new)
        try:
            starts = range(0, len(tasks), MOST)
            for start in starts:
                msg_ids = [task.msg_id for task in tasks[start : start + MOST]]
                answers = _Answers(messenger, msg_ids, on_unknown, on_answer)
                messenger.ask("result_request", ResultRequest(msg_ids, wait=True), answers)
            return len(starts)
        except BaseException as e:
            for task in new:  # another thread may have found it meanwhile, and wait for it
                messenger.fail(task, e)
            raise


class _Answers:
    """Takes the answers to one request: called with each; says whether it was the last.

    Knows the tasks by their ids only, so that nothing is kept that somebody else has ended.
    """

    def __init__(
        self,
        messenger: Messenger,
        msg_ids: list[str],
        on_unknown: OnUnknown | None,
        on_answer: Callable[[], None] | None,
    ) -> None:
        self._messenger = messenger
        self._open = set(msg_ids)
        self._on_unknown = on_unknown
        self._on_answer = on_answer

    def __call__(self, message: Message) -> bool:
        is_last = self._take(message)
        on_answer, self._on_answer = self._on_answer, None
        if on_answer is not None:
            on_answer()
        return is_last

    def _take(self, message: Message) -> bool:
        try:
            content = message.content()
            if content.get("status") == "error":
                self._fail_all(read_exception(content))
                return True
            reply, outcomes = _read(content, len(message.buffers))
        except (*UNREADABLE, AttributeError) as e:  # not even a dict
            self._fail_all(ValueError(f"the hub's answer is malformed: {e}"))
            return True
        at = 0
        for msg_id, outcome in outcomes.items():
            buffers = message.buffers[at : at + outcome.result_buffers]
            at += outcome.result_buffers
            self._end(msg_id, outcome, buffers)
        for msg_id, why in reply.unknown.items():
            self._not_known(msg_id, why)
        if reply.pending:
            return False
        for msg_id in list(self._open):
            self._not_known(msg_id, f"the hub says nothing of a message {msg_id!r}")
        return True

    def _end(self, msg_id: str, outcome: TaskOutcome, buffers: list[Any]) -> None:
        self._open.discard(msg_id)
        task = self._messenger.tasks.pending.get(msg_id)
        if task is None:
            return  # it was cancelled, or its own reply came
        try:
            _describe(task, outcome, self._messenger.recorder.limit)
            received = parse_date(outcome.received) if outcome.received else datetime.now(UTC)
            reply = _reply(task, outcome, buffers)
        except Exception as e:  # noqa: BLE001  (the other tasks are to end by theirs)
            self._messenger.fail(task, ValueError(f"the hub's record of it is malformed: {e}"))
        else:
            self._messenger.told(task, reply, received.timestamp())

    def _not_known(self, msg_id: str, why: str) -> None:
        self._open.discard(msg_id)
        task = self._messenger.tasks.pending.get(msg_id)
        if task is None:
            return
        if self._on_unknown is None:
            content = {
                "ename": "KeyError",
                "evalue": why,
                "engine_info": {"engine_id": "hub", "method": "get_result"},
            }
            self._messenger.fail(task, unwrap_exception(content))
            return
        try:
            self._on_unknown(task, why)
        except Exception as e:  # noqa: BLE001  (the other tasks are to hear of theirs)
            self._messenger.fail(task, e)

    def _fail_all(self, error: BaseException) -> None:
        pending = self._messenger.tasks.pending
        for task in [pending[msg_id] for msg_id in self._open if msg_id in pending]:
            self._messenger.fail(task, error)


def _was_asked_for_in_vain(task: MessageFuture) -> bool:
    return task.fetched and task.done() and not task.told


def _read(content: dict[str, Any], n_buffers: int) -> tuple[ResultReply, dict[str, TaskOutcome]]:
    """What a reply says, and of each task that has ended, in the order of their buffers."""
    reply = msgspec.convert(content, ResultReply)
    outcomes = {}
    for msg_id in sorted(reply.completed):
        if msg_id not in content:
            raise ValueError(f"nothing is said of {msg_id}")
        outcomes[msg_id] = msgspec.convert(content[msg_id], TaskOutcome)
    told = sum(outcome.result_buffers for outcome in outcomes.values())
    if told != n_buffers:
        raise ValueError(f"{n_buffers} buffers came instead of {told}")
    return reply, outcomes


def _header(told: dict[str, Any], **otherwise: str) -> Header:
    """A header that was kept; what it lacks is empty, or as given."""
    names = Header.__struct_fields__
    return Header(**{name: str(told.get(name) or otherwise.get(name, "")) for name in names})


def _describe(task: MessageFuture, outcome: TaskOutcome, limit: int) -> None:
    """Complete what is known of a task, but for its reply."""
    if task.fetched:
        task.identify(_header(outcome.header, msg_id=task.msg_id), outcome.metadata)
    io, metadata = outcome.io, task.metadata
    for name in ("stdout", "stderr"):
        text, stream = io.get(name) or "", task.streams.get(name)
        # of a task of this client's own, more may have come here
        if isinstance(text, str) and text and (stream is None or stream.length < len(text)):
            task.streams[name] = StreamText(limit)
            task.streams[name].write(text)
    for name in ("execute_input", "execute_result"):
        if io.get(name) is not None:
            metadata[name] = io[name]
    if metadata["error"] is None and isinstance(io.get("error"), dict) and "ename" in io["error"]:
        metadata["error"] = read_exception(io["error"])


def _reply(task: MessageFuture, outcome: TaskOutcome, buffers: list[Any]) -> Message:
    """The reply of a task, as it came."""
    kind = task.header.msg_type.replace("_request", "_reply")
    header = _header(outcome.result_header, msg_type=kind)
    return Message(
        [],
        header,
        encode(outcome.result_header),
        encode(outcome.header),
        encode(outcome.result_metadata),
        encode(outcome.result_content),
        buffers,
    )
