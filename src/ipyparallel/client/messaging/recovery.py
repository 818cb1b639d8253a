"""After the connection to the controller broke, and came back: what has become of what was sent.

Messages that were on their way may be lost, in either direction, and the controller may be another
one, which was started in the place of the first. So the hub is asked for all that was sent and not
answered. What it does not know is sent again, before anything that was submitted meanwhile.

The hub hears of tasks a moment after they have passed; to be sure that one that it does not know
has not just arrived, who pass them on are asked, too, which they answer when they have passed on
all that is there. A task that engines have in their hands from before the controller was started
again is known to those, or will not be run twice by its engine.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from concurrent.futures import Future
from functools import partial
from typing import TYPE_CHECKING, Any

from ...error import ControllerLost, VersionMismatchWarning
from ...protocol.messages import (
    ConnectionRequest,
    EngineNotice,
    QueueRequest,
    decode_connection_reply,
    encode,
)
from ...protocol.session import Session, new_id
from .tasks import KEPT_LIMIT, MessageFuture

if TYPE_CHECKING:
    from .messenger import Messenger

_log = logging.getLogger("ipyparallel.client")

#: Requests that do harm if they are carried out twice.
_ONCE = frozenset(
    (
        "become_dask_request",
        "purge_request",
        "replace_request",
        "resubmit_request",
        "signal_request",
        "stop_distributed_request",
    )
)

_LEFT = "it left while the connection to the controller was broken"


class Recovery:
    """Brings a client up to date after an outage. In the I/O thread.

    Parameters
    ----------
    messenger : Messenger
    """

    def __init__(self, messenger: Messenger) -> None:
        self._messenger = messenger
        #: Which outage it is; the connection may break again before all is done.
        self._round = 0
        #: What the hub does not know, and why.
        self._unknown: dict[str, str] = {}
        #: Requests for what it knows that it has not answered, and its answer to who connects, if
        #: that came before.
        self._unanswered = 0
        self._reply: dict[str, Any] | None = None
        #: Requests of earlier rounds are of no use any more.
        self._asked: list[MessageFuture] = []
        self._sent_again = 0
        self._was_away = False

    def away(self, seconds: float) -> None:
        """The controller is gone, and is waited for."""
        self._was_away = True
        _log.warning(
            "The controller is gone; waiting up to %g s for it to come back. Results come then.",
            seconds,
        )

    def begin(self) -> None:
        """All is connected again."""
        self._round += 1
        messenger = self._messenger
        messenger.withdraw(self._asked)
        self._asked.clear()
        self._unknown.clear()
        self._reply = None
        held = messenger.connection.held()
        in_doubt = [
            task
            for task in messenger.tasks.all_pending()
            if task.msg_id not in held and not task.unsent
        ]
        if messenger.is_native:
            self._fetch(in_doubt)
            self._ask_again([task for task in in_doubt if task.channel == "query"])
            request = ConnectionRequest(new_id())
            messenger.connection.subscribe_anew(b"token:" + request.token.encode())
            self._ask("connection_request", request, self._answered_connection)
        else:
            self._ask_again([task for task in in_doubt if task.channel == "query"])
            self._finish()

    def _ask(self, msg_type: str, content: Any, then: Any) -> None:
        """Ask the hub, and call `then` with the answer, unless the connection breaks before."""
        answer = self._messenger.request("query", msg_type, content)
        self._asked.append(answer)
        answer.add_done_callback(partial(self._answered, self._round, then))

    def _answered(self, number: int, then: Any, answer: Future[Any]) -> None:
        if number != self._round or answer.cancelled():
            return
        try:
            then(answer.result())
        except ControllerLost:
            pass  # who waits is told that by others
        except Exception as e:  # noqa: BLE001  (all would be kept back for ever)
            self._messenger.lose(f"the controller came back, and failed: {e}")

    # ---- what has become of all

    def _fetch(self, in_doubt: Iterable[MessageFuture]) -> None:
        messenger = self._messenger
        messenger.forget_listeners()
        others, own = [], []
        for task in in_doubt:
            if task.fetched:
                others.append(task)
            elif task.is_recorded:
                own.append(task)
        messenger.fetching.fetch(others)
        number = self._round
        self._unanswered = messenger.fetching.fetch(
            own, partial(self._note_unknown, number), partial(self._told, number)
        )

    def _note_unknown(self, number: int, task: MessageFuture, why: str) -> None:
        if number == self._round:
            self._unknown[task.msg_id] = why

    def _told(self, number: int) -> None:
        """The hub has said what it knows of some."""
        if number == self._round:
            self._unanswered -= 1
            self._check_answers()

    def _answered_connection(self, content: dict[str, Any]) -> None:
        self._reply = content
        self._check_answers()

    def _check_answers(self) -> None:
        # in which order they come, the hub does not say
        if self._reply is not None and not self._unanswered:
            content, self._reply = self._reply, None
            self._connected(content)

    def _connected(self, content: dict[str, Any]) -> None:
        """The hub has answered, and said what it knows of tasks."""
        messenger = self._messenger
        reply = decode_connection_reply(encode(content))
        engines = {int(engine_id): uuid for engine_id, uuid in reply.engines.items()}
        for engine_id, uuid in messenger.engines.uuids.items():
            if engines.get(engine_id) != uuid:
                messenger.engine_left(EngineNotice(engine_id, uuid, reason=_LEFT))
        try:
            messenger.meet(reply)
        except VersionMismatchWarning as warning:  # the user has warnings raised as errors
            _log.warning("%s", warning)
        if self._unknown:
            request = QueueRequest(verbose=True)
            self._ask("queue_request", request, self._settle)
        else:
            self._settle({})

    def _settle(self, queues: dict[str, Any]) -> None:
        """Send again what is not in these queues, and is not known otherwise."""
        for msg_id in _named(queues):
            self._unknown.pop(msg_id, None)
        messenger = self._messenger
        held = messenger.connection.held()
        tasks = [
            task
            for task in messenger.tasks.all_pending()
            if task.msg_id in self._unknown
            or (task.channel not in ("", "query") and not task.is_recorded)
        ]
        again = self._sendable([task for task in tasks if task.msg_id not in held])
        if again:
            _log.info("Sending %d requests again", len(again))
        self._finish(again)

    def _finish(self, again: Iterable[MessageFuture] = ()) -> None:
        messenger = self._messenger
        by_channel: dict[str, list[tuple[str, list[Any]]]] = {}
        for task in again:
            frames = self._sign_again(task)
            by_channel.setdefault(task.channel, []).append((task.msg_id, frames))
        messenger.connection.reopen(by_channel)
        self._unknown.clear()
        self._asked.clear()
        if self._was_away:
            self._was_away = False
            _log.warning("The controller is back.")

    # ---- again

    def _ask_again(self, queries: Iterable[MessageFuture]) -> None:
        for task in self._sendable(queries):
            self._messenger.connection.send("query", self._sign_again(task), msg_id=task.msg_id)

    def _sendable(self, tasks: Iterable[MessageFuture]) -> list[MessageFuture]:
        """Those of these that can be sent again; the others fail."""
        chosen = []
        for task in tasks:
            if task.frames is not None and task.header.msg_type not in _ONCE:
                chosen.append(task)
                continue
            self._messenger.fail(task, ControllerLost(self._why_not(task)))
        return chosen

    def _why_not(self, task: MessageFuture) -> str:
        what = f"{task.header.msg_type} {task.msg_id} has no answer"
        if not task.is_recorded:
            return (
                f"{what}: the connection to the controller broke before it came, and whether that"
                " was carried out is not known"
            )
        why = self._unknown.get(task.msg_id, "")
        text = (
            f"task {task.msg_id} has no result: the connection to the controller broke, and {why}"
        )
        if self._messenger.patience:
            text += (
                f"; it is not sent again, since more than {KEPT_LIMIT >> 20} MB were on their way,"
                " and no more is kept"
            )
        return text

    def _sign_again(self, task: MessageFuture) -> list[Any]:
        self._sent_again += 1
        assert task.frames is not None
        return sign_again(self._messenger.session, task.frames, self._sent_again)


def sign_again(session: Session, frames: list[Any], number: int) -> list[Any]:
    """The same message with a signature of its own: one that was seen is not accepted again.

    Parameters
    ----------
    number : int
        Another one each time.
    """
    message = session.parse(frames, fresh=False)
    again = session.frame(
        message.header,
        message.content_frame,
        parent=message.parent_frame,
        metadata={**message.metadata(), "again": number},
        buffers=message.buffers,
        compact=message.compact,
    )
    return [*message.idents, *again]


def _named(queues: dict[str, Any]) -> Iterable[str]:
    """All message ids in the answer to a verbose `QueueRequest`."""
    yield from queues.get("unassigned", ())
    for queue in queues.values():
        if isinstance(queue, dict):
            yield from queue["queue"]
            yield from queue["tasks"]
