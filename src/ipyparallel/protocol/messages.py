"""What travels: the header of every message, and the contents this package reads or writes.

Each is a typed struct, decoded once where it is needed. Unknown fields are ignored, so that a
peer may add some; the fields that are ours alone (marked *extension*) have a default, so that a
peer may leave them out.
"""

from __future__ import annotations

import json
from typing import Any

import msgspec

#: Version of the Jupyter messaging protocol that the headers claim.
PROTOCOL_VERSION = "5.4"

#: Encoded ``{}``: the metadata, content and parent header of most messages.
EMPTY = b"{}"

#: What decoding a frame may raise. Text that is not UTF-8, and text that is nested too deeply, are
#: not among msgspec's own errors, which are ValueErrors too.
UNREADABLE = (ValueError, RecursionError)

#: Jupyter messages that have no reply.
COMM_MESSAGES = frozenset({"comm_open", "comm_msg", "comm_close"})

_encoder = msgspec.json.Encoder()


class Header(msgspec.Struct):
    """Who sent what, when. ``date`` is ISO 8601 in UTC, read only by who needs it."""

    msg_id: str
    msg_type: str
    username: str = ""
    session: str = ""
    date: str = ""
    version: str = ""


class ParentHeader(msgspec.Struct):
    """The header of the request that a message answers; all empty when there is none."""

    msg_id: str = ""
    msg_type: str = ""
    session: str = ""
    date: str = ""


class TaskMetadata(msgspec.Struct):
    """What the task scheduler reads in the metadata of an ``apply_request``."""

    after: list[str] | dict[str, Any] | None = None
    follow: list[str] | dict[str, Any] | None = None
    timeout: float | None = None
    targets: list[str] | None = None
    retries: int = 0
    label: str | None = None
    #: Extension: of the tasks that wait, those of a higher priority go first.
    priority: int = 0
    #: Extension: how much of what engines declare the task needs, by name.
    resources: dict[str, float] | None = None
    #: Extension: seconds the task may run; 0 for any time.
    time_limit: float = 0.0
    #: Extension: of a task that was submitted by a task, how many are above it, and whose turn it
    #: takes among the clients: the session of the client that submitted the topmost one.
    depth: int = 0
    on_behalf_of: str = ""


class RequestMetadata(msgspec.Struct):
    """What an engine reads in the metadata of a request."""

    label: str | None = None
    #: Extension: names of the exception types, ``module.qualname``, after which the task is worth
    #: another try; None for all.
    retry_on: list[str] | None = None
    #: Extension: as in `TaskMetadata`; above 0, a task on this engine may wait for it.
    depth: int = 0
    on_behalf_of: str = ""
    is_broadcast: bool = False
    is_coalescing: bool = False
    original_msg_id: str = ""
    #: Extension: how the scheduler names a balanced task that it has sent before, maybe to the
    #: same engine.
    sending: str = ""
    #: Extension: the sender wants the number of output messages in the reply, and no
    #: busy and idle status for it.
    count_output: bool = False


class ReplyMetadata(msgspec.Struct, omit_defaults=False):
    """What an engine tells about a finished request."""

    started: str = ""
    dependencies_met: bool = True
    engine: str = ""
    is_broadcast: bool = False
    is_coalescing: bool = False
    original_msg_id: str = ""
    label: str | None = None
    status: str = ""
    engine_info: dict[str, Any] | msgspec.UnsetType = msgspec.UNSET
    #: Extension: how many output messages belong to the request.
    output_count: int | msgspec.UnsetType = msgspec.UNSET
    #: Extension: seconds the request ran, by the engine's monotonic clock.
    elapsed: float | msgspec.UnsetType = msgspec.UNSET
    #: Extension: whether the exception is one of those in the request's ``retry_on``.
    retryable: bool | msgspec.UnsetType = msgspec.UNSET


class RegistrationRequest(msgspec.Struct):
    """An engine asks for its id."""

    uuid: str
    id: int | None = None
    #: Extension: the engine reports on every channel when it can be reached there.
    reports_ready: bool = False
    #: Extension: how much the engine has of what tasks may ask for, by name.
    resources: dict[str, float] = {}
    #: Extension: uuid of the engine, known to be dead, whose id this one takes over.
    replaces: str = ""
    #: Extension: versions of Python and of key packages, by name.
    versions: dict[str, str] = {}
    #: Extension: the engine was registered before, under the id that it asks for, and comes back:
    #: it, or the controller, was away.
    returning: bool = False
    #: Extension: of an engine that comes back, the requests that it will answer: direct ones by id,
    #: and balanced ones as they were sent; see `Job.sending`.
    holding: list[str] = []
    #: Extension: those of these that are balanced.
    balanced: list[str] = []
    #: Extension: balanced ones that it has answered, and will answer again, since that may be lost.
    answered: list[str] = []


class RegistrationReply(msgspec.Struct):
    """The id given, and where to connect."""

    id: int
    hb_period: int
    connection_info: dict[str, Any]
    status: str = "ok"
    #: Extension: what the clients' connection file holds, but for the key, so that tasks can
    #: submit tasks.
    client_info: dict[str, Any] = {}
    #: Extension: seconds that a controller that is gone may take to come back; 0: it will not.
    patience: float = 0.0


class UnregistrationRequest(msgspec.Struct):
    """An engine is gone."""

    id: int | None = None
    #: Extension: the engine's uuid, when its id is not known to the sender.
    uuid: str | None = None
    #: Extension: why it is gone, in words that complete "Engine 3 ...".
    reason: str = ""


class EngineNotice(msgspec.Struct, omit_defaults=True):
    """An engine came or went."""

    id: int
    uuid: str
    #: Extension: the engine takes this package's own apply messages.
    native: bool = False
    #: Extension: why it went.
    reason: str = ""
    #: Extension: versions of Python and of key packages on it, by name.
    versions: dict[str, str] = {}


class ConnectionRequest(msgspec.Struct, omit_defaults=True):
    """A client connects."""

    #: Extension: answer when this token was seen among the subscriptions to the notification
    #: and output channels, so that nothing published after the answer can be missed.
    token: str = ""


class ConnectionReply(msgspec.Struct, omit_defaults=True):
    """The engines there are: ``{"<id>": uuid}``."""

    engines: dict[str, str] = {}
    #: Extension: uuids of the engines that take this package's own apply messages.
    native: list[str] | None = None
    status: str = ""
    #: Extension: versions of Python and of key packages, by name, of each engine by its uuid, and
    #: of the controller under ``"controller"``.
    versions: dict[str, dict[str, str]] = {}
    #: Extension: names this run of the controller; another one after it was started again.
    instance: str = ""
    #: Extension: seconds that a controller that is gone may take to come back; 0: it will not.
    patience: float = 0.0


class CancelRequest(msgspec.Struct):
    """*Extension.* Cancel tasks, wherever they are: to the scheduler, or to an engine.

    The scheduler names tasks to an engine by the ``sending`` in their metadata, if there is one.
    """

    msg_ids: list[str]
    #: Whether an engine is not to answer those that it has not begun: the sender has them back.
    silently: bool = False
    #: Whether those that run are interrupted; else they are ``spared``.
    interrupt: bool = True


class CancelReply(msgspec.Struct):
    """*Extension.* Where each of the tasks was when it was cancelled.

    ``waiting`` for an engine or for other tasks; ``queued`` on its engine, which will not begin it;
    ``running``: it is interrupted; ``spared``: it runs, and was not to be interrupted; ``finished``
    (or not known): nothing was done.
    """

    outcomes: dict[str, str]
    status: str = "ok"


class EngineWaiting(msgspec.Struct):
    """*Extension.* An engine, on the task channel: what it runs waits for other tasks, or goes on.

    While a task waits, its engine runs others, so that tasks can wait for tasks.
    """

    msg_id: str
    waiting: bool


class QueueRequest(msgspec.Struct):
    """How much each engine has to do."""

    targets: list[int | str] | int | str | None = None
    verbose: bool = False


class ResultRequest(msgspec.Struct):
    """What became of tasks, whoever submitted them."""

    msg_ids: list[str]
    status_only: bool = False
    #: Extension: answer as often as some of them have ended, until none is pending. What is not
    #: known is ``unknown`` in the answer, instead of an error for all.
    wait: bool = False


class ResultReply(msgspec.Struct):
    """What became of tasks. Of those in `completed`, unless only the status was wanted, what is
    known (see `TaskOutcome`) stands under the task's id, beside these; the buffers of their results
    follow in the order of the sorted ids.
    """

    pending: list[str] = []
    completed: list[str] = []
    status: str = "ok"
    #: Extension: of tasks that are not known (any more), why.
    unknown: dict[str, str] = {}


class TaskOutcome(msgspec.Struct):
    """What is known of a task that has ended."""

    header: dict[str, Any]
    metadata: dict[str, Any]
    result_header: dict[str, Any]
    result_metadata: dict[str, Any]
    result_content: dict[str, Any]
    received: str | None
    #: ``execute_input``, ``execute_result``, ``error``, ``stdout``, ``stderr``.
    io: dict[str, Any]
    #: Extension: how many of the buffers are this task's.
    result_buffers: int = 0


class MsgIdsRequest(msgspec.Struct):
    """Names tasks: to submit them again."""

    msg_ids: list[str]


class PurgeRequest(msgspec.Struct):
    """Forget tasks that have ended: these, and those that these engines (ids) have run."""

    msg_ids: list[str] | str = []
    engine_ids: list[int] = []


class DatabaseRequest(msgspec.Struct):
    """Records of tasks that a query matches; `keys` are the fields that are wanted, None: all but
    the buffers.
    """

    query: dict[str, Any]
    keys: list[str] | None = None


class BecomeDaskRequest(msgspec.Struct):
    """Start a scheduler of dask."""

    scheduler_args: dict[str, Any] = {}


def encode(obj: Any) -> bytes:
    """JSON of `obj`, as UTF-8."""
    return _encoder.encode(obj)


def encode_any(obj: Any) -> bytes:
    """JSON of what may hold objects that JSON cannot say; those become their ``repr``.

    In texts, what UTF-8 cannot say (half of a surrogate pair) becomes a question mark.
    """
    try:
        return msgspec.json.encode(obj, enc_hook=repr)
    except UnicodeEncodeError:
        return json.dumps(obj, default=repr, ensure_ascii=False).encode("utf-8", "replace")


def decode(frame: bytes) -> Any:
    """The object that a JSON frame holds, as dicts and lists."""
    return msgspec.json.decode(frame)


decode_header = msgspec.json.Decoder(Header).decode
decode_parent = msgspec.json.Decoder(ParentHeader).decode
decode_task_metadata = msgspec.json.Decoder(TaskMetadata).decode
decode_request_metadata = msgspec.json.Decoder(RequestMetadata).decode
decode_reply_metadata = msgspec.json.Decoder(ReplyMetadata).decode
decode_connection_reply = msgspec.json.Decoder(ConnectionReply).decode
decode_registration_reply = msgspec.json.Decoder(RegistrationReply).decode
decode_engine_notice = msgspec.json.Decoder(EngineNotice).decode
