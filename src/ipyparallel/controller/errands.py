"""What the task scheduler wants of engines, and their answers: carried by the hub.

Engines are asked on the control channel, since they are busy on the task channel.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, Protocol

import msgspec

from ..protocol.messages import CancelRequest
from ..protocol.session import Message
from ..scheduling.state import msg_id_of
from . import link

#: What the scheduler wants of an engine.
Errand = link.RecallTasks | link.CancelTasks | link.ReplaceEngine


class RecallReply(msgspec.Struct):
    """An engine's answer to a ``recall_request``: the tasks it gives back."""

    returned: list[str] = []


class CancelOutcomes(msgspec.Struct):
    """An engine's answer to a ``cancel_request``: where each task was; see `CancelReply`."""

    outcomes: dict[str, Literal["queued", "running", "spared", "finished"]] = {}


class Refusable(msgspec.Struct):
    """An answer that may be an error."""

    status: str = ""
    evalue: str = ""


class AskEngine(Protocol):
    """Sends an engine a request on the control channel."""

    def __call__(self, uuid: str, msg_type: str, content: Any) -> None:
        """Send it."""


class Errands:
    """Asks engines, and tells the scheduler what they say.

    Parameters
    ----------
    ask : callable
        Sends an engine (uuid) a request: its type, its content.
    tell : callable
        Tells the scheduler.
    give_up : callable
        Told, of an engine (uuid) that can not be killed, why; it is gone as far as anybody is
        concerned.
    """

    def __init__(
        self,
        ask: AskEngine,
        tell: Callable[[link.ToScheduler], None],
        give_up: Callable[[str, str], None],
    ) -> None:
        self._ask = ask
        self._tell = tell
        self._give_up = give_up

    def run(self, errand: Errand, native: bool) -> None:
        """Ask an engine for what the scheduler wants of it.

        Parameters
        ----------
        native : bool
            Whether the engine is of this package.
        """
        match errand:
            case link.RecallTasks(uuid, sendings) if native:
                self._ask(uuid, "recall_request", {"msg_ids": sendings})
            case link.RecallTasks(uuid):
                # it knows of no such thing, and keeps what it has
                self._tell(link.TasksReturned(uuid, []))
            case link.CancelTasks(uuid, sendings, interrupt) if native:
                request = CancelRequest(sendings, silently=True, interrupt=interrupt)
                self._ask(uuid, "cancel_request", request)
            case link.CancelTasks(uuid, sendings):
                # It can only be asked not to begin them, and answers the tasks themselves.
                msg_ids = [msg_id_of(sending) for sending in sendings]
                self._ask(uuid, "abort_request", {"msg_ids": msg_ids})
                self._tell(link.TasksCancelled(uuid, dict.fromkeys(sendings, "finished")))
            case link.ReplaceEngine(uuid, reason):
                self._ask(uuid, "replace_request", {"reason": reason})

    def answered(self, uuid: str, message: Message) -> None:
        """An engine, or who stands for it, has answered.

        Raises
        ------
        ValueError
            The answer is malformed.
        """
        match message.header.msg_type:
            case "recall_reply":
                returned = message.read_content(RecallReply).returned
                self._tell(link.TasksReturned(uuid, returned))
            case "cancel_reply":
                # of one that was refused, since the engine is gone, there is none
                if outcomes := message.read_content(CancelOutcomes).outcomes:
                    self._tell(link.TasksCancelled(uuid, dict(outcomes)))
            case "replace_reply":
                reply: Refusable = message.read_content(Refusable)
                if reply.status != "ok":
                    self._give_up(uuid, f"it does not obey, and cannot be killed: {reply.evalue}")
