"""The pure scheme: nobody but the engine itself knows which balanced tasks it has.

So when an engine goes, its tasks are not told from those that other engines have, and all of them
fail, rather than that some wait for ever. Only output tells the engine of a task that runs. What is
submitted later runs on the engines that are left; published clients refuse to submit any more.
"""

from __future__ import annotations

from ...error import EngineError, engine_died
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


def may_have_died(task: MessageFuture, notice: EngineNotice) -> EngineError:
    """The error of a task that an engine may have had."""
    if task.engine_id == notice.id:
        return engine_died(notice.id, task.msg_id, notice.reason)
    how = f" ({notice.reason})" if notice.reason else ""
    return EngineError(
        f"task {task.msg_id} may have been on engine {notice.id}, which is gone{how}: the pure"
        " scheduler does not know which tasks an engine has; use another scheme to keep those of"
        " other engines"
    )
