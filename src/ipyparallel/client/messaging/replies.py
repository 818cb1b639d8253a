"""What a reply says: a result, or an error."""

from __future__ import annotations

import re
from typing import Any

from ...error import RemoteError, TaskAborted
from ...protocol.messages import UNREADABLE
from ...protocol.session import Message
from ...serialize.exceptions import read_exception
from ...serialize.pickler import deserialize, user_namespace
from .execute_reply import ExecuteReply
from .tasks import MessageFuture

#: A result, or the error in its place.
Outcome = tuple[Any, BaseException | None]


def result_of(task: MessageFuture, message: Message) -> Outcome:
    """What the reply of a task says, whose metadata the task has already.

    Raises
    ------
    BaseException
        Whatever unpickling the result raises.
    """
    status = task.reply_metadata.status if task.reply_metadata else ""
    if message.header.msg_type == "apply_reply":
        if status == "ok":
            return deserialize(message.buffers), None
        content = message.content()
    else:
        content = message.content()
        if content.get("status") == "ok":
            return ExecuteReply(task.msg_id, content, task.metadata), None
    if content.get("status") == "aborted":
        return None, TaskAborted(f"task {task.msg_id} was aborted {_when(task)}")
    error = read_exception(content)
    if isinstance(error, RemoteError):
        task.metadata["error"] = error
        _explain(error)
    return None, error


def answer_of(task: MessageFuture, message: Message, *, by_hub: bool) -> Outcome:
    """What the reply to a request says that is no task; its result is its content.

    Parameters
    ----------
    by_hub : bool
        Whether the hub says it, and no engine.
    """
    task.output_expected = 0
    try:
        content = message.content()
    except UNREADABLE as e:
        return None, ValueError(f"the reply is malformed: {e}")
    if isinstance(content, dict) and content.get("status") == "error":
        error = read_exception(content)
        if by_hub and isinstance(error, RemoteError) and not error.engine_info:
            method = task.header.msg_type.removesuffix("_request")
            error.engine_info = {"engine_id": "hub", "method": method}
        return None, error
    task.buffers = message.buffers
    return content, None


def _when(task: MessageFuture) -> str:
    """When a task was aborted: of one that ran it is told how long."""
    reply = task.reply_metadata
    has_run = reply is not None and isinstance(reply.elapsed, float)
    return "while it ran" if has_run else "before it started"


def _explain(error: RemoteError) -> None:
    """Say why a name that the user has just defined is not known on an engine."""
    if not isinstance(error, NameError):
        return
    # the attribute `name` is not pickled
    found = re.match(r"name '(\w+)' is not defined", error.evalue)
    name = found[1] if found else None
    if name in user_namespace():
        error.add_note(
            f"{name} is defined here, but not on the engine: the globals of a function are the"
            f" engine's. To send it there: view.push({{{name!r}: {name}}})"
        )
