"""The task scheduler: a tight loop on raw sockets around the task machine.

Messages are verified and passed on as they came; the machine decides, this carries out. A payload
is never opened.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Any

from ..error import describe_exception
from ..protocol.holding import HoldingReply, HoldingRequest
from ..protocol.kept_replies import KeptReplies
from ..protocol.messages import (
    UNREADABLE,
    CancelReply,
    CancelRequest,
    EngineWaiting,
    ReplyMetadata,
    decode_reply_metadata,
)
from ..protocol.session import Message, utc_date
from ..scheduling.commands import (
    Abort,
    Answer,
    Cancel,
    Command,
    Deliver,
    Dispatch,
    Fail,
    Recall,
    Replace,
)
from ..scheduling.machine import TaskMachine, Verdict
from ..scheduling.state import Job
from ..transport.sockets import HUB, require_peers, send_if_there
from . import link
from .channel_server import ChannelServer, Means
from .resubmission import RESUBMITTER
from .serving import drain
from .submissions import Submission, SubmissionReader, Unacceptable

#: What engines say to the scheduler itself.
_REPORTS = ("engine_ready", "engine_waiting", "holding_reply")

#: Bytes that are kept of replies to tasks that are not known (yet), and for how many seconds: while
#: clients may come back.
_UNCLAIMED_BYTES = 16 << 20
_UNCLAIMED_AGE = 600.0


class SchedulerLoop(ChannelServer):
    """Moves tasks from clients to engines and their results back.

    Parameters
    ----------
    machine : TaskMachine
        Decides.
    """

    def __init__(self, machine: TaskMachine, means: Means) -> None:
        super().__init__(means)
        require_peers(self._clients, self._engines)
        self._machine = machine
        self._submissions = SubmissionReader()
        #: What clients have sent while engines of an earlier run may come back; else None.
        self._early: list[list[Any]] | None = None
        #: From then on, replies to tasks that are not known, since an earlier run of the controller
        #: had them. Their clients may submit them again, as soon as they are back.
        self._unclaimed: KeptReplies | None = None
        # The hub comes first: a client may know of an engine only after the hub said so here, and
        # its task must not come before. Then replies, which free engines.
        self._serve(
            "task scheduler",
            (
                (self._hub, self._handle_hub),
                (self._engines, self._handle_engine),
                (self._clients, self._handle_client),
            ),
            patience=self._patience,
            after_each_round=self._tick,
        )
        self._carry_out: dict[type[Command], Callable[[Any], None]] = {
            Dispatch: self._dispatch,
            Deliver: self._deliver,
            Fail: self._fail,
            Abort: self._abort,
            Answer: self._answer,
            Recall: self._recall,
            Cancel: self._cancel,
            Replace: self._replace,
        }

    def _patience(self) -> int | None:
        seconds = self._machine.patience(time.monotonic())
        return None if seconds is None else math.ceil(seconds * 1000)

    def _tick(self) -> None:
        self._machine.tick(time.monotonic())
        self._obey()

    def _handle_hub(self, frames: list[Any]) -> None:
        self._on_hub(frames)
        self._obey()

    def _handle_engine(self, frames: list[Any]) -> None:
        self._on_engine(frames)
        self._obey()

    def _handle_client(self, frames: list[Any]) -> None:
        self._on_client(frames)
        self._obey()

    # ---- events

    def _on_hub(self, frames: list[Any]) -> None:
        now = time.monotonic()
        match link.decode_for_scheduler(frames[0]):
            case link.EngineJoined(uuid, engine_id, resources, holding, answered):
                self._machine.engine_joined(uuid, engine_id, now, resources, holding, answered)
                self._obey()  # what it is asked for next comes after what it gets now
                awaited = set(answered).intersection(self._machine.sendings(uuid))
                if awaited:
                    # it may have answered them again already, when that was of no use yet, or let
                    # go of some
                    self._ask_holdings(uuid, sorted(awaited))
            case link.EngineAway(uuid):
                self._machine.engine_away(uuid)
            case link.EngineBack(uuid):
                self._machine.engine_back(uuid, now)
            case link.Greet(uuid):
                self._greet(uuid, now)
            case link.ErrandsLost(uuid):
                self._machine.errands_lost(uuid)
            case link.Restoring():
                self._early = []
                self._unclaimed = KeptReplies(_UNCLAIMED_BYTES, _UNCLAIMED_AGE)
            case link.Restored(tasks, ended):
                for task in ended:
                    self._machine.ended_before(task.msg_id, task.ok, task.uuid)
                self._begin(tasks)
            case link.EngineLeft(uuid, reason):
                # what it sent before it died may be here already
                while drain(self._engines, self._handle_engine):
                    pass
                self._machine.engine_left(uuid, reason, now)
            case link.TasksReturned(uuid, sendings):
                self._machine.returned(uuid, sendings, now)
            case link.TasksCancelled(uuid, outcomes):
                self._machine.cancelled(uuid, outcomes, now)
            case link.LoadRequest(number):
                # what came before the question counts
                drain(self._clients, self._handle_client)
                self._tell(self._load(number))
            case link.Stop():
                self._thread.stop()

    def _greet(self, uuid: str, now: float) -> None:
        """Ask an engine what it holds; it need not be one that takes tasks already."""
        if self._ask_holdings(uuid, self._machine.sendings(uuid)):
            self._machine.engine_reached(uuid, now)
            self._tell(link.EngineReached(uuid))

    def _ask_holdings(self, uuid: str, sendings: list[str]) -> bool:
        """Ask an engine what it holds, and what has become of these; whether it can be reached."""
        request = self._session.message("holding_request", HoldingRequest(sendings))
        return send_if_there(self._engines, [uuid.encode(), HUB, *request])

    def _begin(self, restored: list[list[bytes]]) -> None:
        """Take in what waited: first what the records of the earlier run have."""
        early, self._early = self._early or [], None
        for frames in (*restored, *early):
            self._on_client(frames)

    def _on_client(self, frames: list[Any]) -> None:
        if self._early is not None:
            self._early.append(frames)
            return
        try:
            message = self._session.parse(frames)
        except UNREADABLE as e:
            self._log.warning("Dropped a message on the task channel: %s", e)
            return
        if len(message.idents) != 1:
            self._log.warning("Dropped a message on the task channel: not from a client")
            return
        header = message.header
        if header.msg_type == "cancel_request":
            self._on_cancel(message)
            return
        try:
            if header.msg_type != "apply_request":
                # an engine might never answer, and would count as busy for ever
                raise Unacceptable(f"a balanced task is an apply_request, not {header.msg_type!r}")
            known = self._machine.jobs.get(header.msg_id)
            if known is None or known.adopted:
                self._journal.submitted("task", message, frames)
            job = self._submissions.read(message, frames)
            if known is not None:
                self._submitted_again(known, job)
                return
            if self._unclaimed is not None and (reply := self._unclaimed.take(header.msg_id)):
                self._deliver(Deliver(job, reply))
                return
        except Unacceptable as e:
            self._log.warning("Refused a task: %s", e)
            self._fail(Fail(self._submissions.refused(message, frames), e))
        else:
            self._machine.submitted(job, time.monotonic())

    def _submitted_again(self, known: Job, job: Job) -> None:
        """A client submits what there is already."""
        if known.adopted:
            self._machine.claimed(job, time.monotonic())
        elif known.owner_name == job.owner_name:
            # it lost the controller meanwhile, and cannot know what became of the task
            known.payload = job.payload
        else:
            self._log.warning("Dropped a task: %s is the id of another", job.msg_id)

    def _on_cancel(self, message: Message) -> None:
        try:
            request: CancelRequest = message.read_content(CancelRequest)
        except ValueError as e:
            self._log.warning("Refused a cancel_request: %s", e)
            self._reply(message, "cancel_reply", describe_exception(e))
        else:
            now = time.monotonic()
            self._machine.cancel(request.msg_ids, message, now, request.interrupt)

    def _on_engine(self, frames: list[Any]) -> None:
        try:
            message = self._session.parse(frames)
            uuid = frames[0].decode()
            if message.header.msg_type in _REPORTS:
                self._on_report(uuid, message)
                return
            metadata = decode_reply_metadata(message.metadata_frame)
            parent = message.parent
        except UNREADABLE as e:
            self._log.warning("Dropped a message of an engine on the task channel: %s", e)
            return
        if len(message.idents) != 2 or not message.header.msg_type.endswith("_reply"):
            self._log.warning(
                "Dropped a message of an engine on the task channel: %r is not a reply to a client",
                message.header.msg_type,
            )
            return
        seconds = metadata.elapsed if isinstance(metadata.elapsed, float) else -1.0
        now = time.monotonic()
        if parent.msg_id not in self._machine.jobs:
            self._claim_later(uuid, parent.msg_id, frames)
            # it may come before it is known that the engine is there, and what it has answered
            self._machine.answered_unasked(uuid, parent.msg_id, metadata.status == "ok")
        elif metadata.status == "ok":
            self._machine.finished(uuid, parent.msg_id, seconds, frames, now)
        else:
            verdict = _verdict(metadata)
            what = _what(message) if verdict is Verdict.UNMET else ""
            self._machine.finished(uuid, parent.msg_id, seconds, frames, now, verdict, what)

    def _on_report(self, uuid: str, message: Message) -> None:
        """What an engine says to the scheduler itself."""
        msg_type = message.header.msg_type
        if msg_type == "engine_ready":
            self._tell(link.EngineReached(uuid))
            return
        if msg_type == "holding_reply":
            self._on_holding(uuid, message.read_content(HoldingReply))
            return
        report: EngineWaiting = message.read_content(EngineWaiting)
        if report.waiting:
            self._machine.paused(uuid, report.msg_id, time.monotonic())
        else:
            self._machine.resumed(uuid, report.msg_id)

    def _on_holding(self, uuid: str, reply: HoldingReply) -> None:
        """What is left on an engine, whose connection may have broken. Its replies came before."""
        now = time.monotonic()
        if reply.missing or reply.lost:
            self._log.info(
                "Lost on the way to or from engine %s: %d tasks, %d results",
                uuid,
                len(reply.missing),
                len(reply.lost),
            )
        self._machine.holds(uuid, reply.holding, now)
        self._machine.results_lost(uuid, reply.lost, now)
        self._machine.never_came(uuid, reply.missing, now)

    def _claim_later(self, uuid: str, msg_id: str, frames: list[Any]) -> None:
        """An engine has answered what is not known here (any more).

        The task was failed, since the engine had been given up, or had ended, and its reply was
        sent again, or it was submitted to a controller of which this one is the successor. Its
        client knows which.
        """
        if self._unclaimed is not None:
            self._unclaimed.keep(msg_id, frames)
        _, client, *rest = frames
        self._send_result([client, uuid.encode(), *rest], msg_id, uuid)

    # ---- commands

    def _obey(self) -> None:
        while commands := self._machine.take():
            for command in commands:
                self._carry_out[type(command)](command)

    def _dispatch(self, command: Dispatch) -> None:
        uuid = command.engine.uuid
        frames = command.job.payload.frames
        if command.job.attempt > 1:
            frames = self._sign_again(frames, command.job.sending)
        if send_if_there(self._engines, [uuid.encode(), *frames]):
            self._journal.sent(command.job.msg_id, uuid)
        else:
            # the hub will see to it that it is reached again, or tell everyone that it is gone
            self._log.info("Engine %d cannot be reached", command.engine.id)
            self._tell(link.EngineUnreachable(uuid))
            self._machine.not_sent(uuid, command.job.msg_id, time.monotonic())

    def _sign_again(self, frames: list[Any], sending: str) -> list[Any]:
        """The same request with a signature, and a name, of its own.

        An engine drops a message whose signature it has seen, and the engine that gets this one
        may be the one that had it before.
        """
        message = self._session.parse(frames, fresh=False)
        metadata = {**message.metadata(), "sending": sending}
        again = self._session.frame(
            message.header,
            message.content_frame,
            parent=message.parent_frame,
            metadata=metadata,
            buffers=message.buffers,
            compact=message.compact,
        )
        return [*message.idents, *again]

    def _deliver(self, command: Deliver) -> None:
        submission: Submission | None = command.job.payload
        uuid, client, *rest = command.reply
        if submission is not None:
            # it may have connected anew since the task was sent
            client = submission.client
        elif self._unclaimed is not None:
            self._unclaimed.keep(command.job.msg_id, command.reply)
        self._send_result([client, uuid, *rest], command.job.msg_id, uuid.decode())

    def _fail(self, command: Fail) -> None:
        engine = command.engine.uuid if command.engine is not None else ""
        self._end(command.job, "error", describe_exception(command.error), engine)

    def _abort(self, command: Abort) -> None:
        self._end(command.job, "aborted", {"status": "aborted"})

    def _end(self, job: Job, status: str, content: Any, engine: str = "") -> None:
        submission: Submission | None = job.payload
        msg_type = submission.msg_type if submission is not None else "apply_request"
        header = self._session.header(msg_type.replace("_request", "_reply"))
        metadata = {"status": status, "engine": engine, "date": utc_date(), "output_count": 0}
        if submission is None:
            # nobody has claimed it; its record may be there
            frames = self._session.frame(header, content, metadata=metadata)
            self._journal.forsaken(job.msg_id, engine, frames)
            return
        frames = self._session.frame(
            header, content, parent=submission.header_frame, metadata=metadata
        )
        self._send_result([submission.client, *frames], job.msg_id, engine)

    def _send_result(self, frames: list[Any], msg_id: str, engine: str) -> None:
        """Send a reply to the client that it names first."""
        delivered = send_if_there(self._clients, frames)
        self._journal.ended(msg_id, engine, frames, delivered and frames[0] != RESUBMITTER)

    def _answer(self, command: Answer) -> None:
        self._reply(command.request, "cancel_reply", CancelReply(command.outcomes))

    def _reply(self, request: Message, msg_type: str, content: Any) -> None:
        frames = self._session.message(msg_type, content, parent=request.header_frame)
        send_if_there(self._clients, [*request.idents, *frames])

    def _cancel(self, command: Cancel) -> None:
        sendings = [job.sending for job in command.jobs]
        self._tell(link.CancelTasks(command.engine.uuid, sendings, command.interrupt))

    def _replace(self, command: Replace) -> None:
        self._tell(link.ReplaceEngine(command.engine.uuid, command.reason))

    def _recall(self, command: Recall) -> None:
        sendings = [job.sending for job in command.jobs]
        self._tell(link.RecallTasks(command.engine.uuid, sendings))

    def _load(self, number: int) -> link.Load:
        machine = self._machine
        return link.Load(
            number,
            {e.uuid: (list(e.running), e.completed) for e in machine.engines.values()},
            [job.msg_id for job in machine.jobs.values() if job.engine is None],
        )


def _verdict(metadata: ReplyMetadata) -> Verdict:
    if metadata.status == "aborted":
        return Verdict.ABORTED
    if not metadata.dependencies_met:
        return Verdict.UNMET
    return Verdict.FAILED if metadata.retryable is not False else Verdict.FAILED_FOR_GOOD


def _what(message: Message) -> str:
    """What an engine lacks, by its reply."""
    try:
        content = message.content()
        return f"{content['ename']}: {content['evalue']}"
    except (*UNREADABLE, KeyError, TypeError):
        return ""
