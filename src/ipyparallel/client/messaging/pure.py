"""The pure scheme: nobody but the engine itself knows which balanced tasks it has.

So when an engine goes, its tasks are not told from those that other engines have, and all of them
fail, rather than that some wait for ever. Only output tells the engine of a task that runs. What is
submitted later runs on the engines that are left; published clients refuse to submit any more.
"""

from __future__ import annotations

from ...error import EngineError, engine_died, may_have_died
from ...protocol.messages import EngineNotice
from .tasks import MessageFuture, TaskTable


def maybe_lost(tasks: TaskTable, engine_id: int) -> list[MessageFuture]:
    """The pending balanced tasks that an engine may have had. With the table's lock held."""
    return [
        task
        for task in tasks.pending.values()
        if task.header.msg_type == "apply_request"
        and not task.engine_uuid
        and task.engine_id in (None, engine_id)
    ]


def lost_with(task: MessageFuture, notice: EngineNotice) -> EngineError:
    """The error of a task that an engine had, or may have had."""
    error = engine_died if task.engine_id == notice.id else may_have_died
    return error(notice.id, task.msg_id, notice.reason)
