"""What tasks have shown, ordered, after they ended."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import zip_longest

from ..messaging.execute_reply import ExecuteReply
from ..messaging.metadata import is_update
from ..messaging.recording import overwritten
from ..messaging.tasks import MessageFuture
from .screen import Screen
from .waiting import wait_for_output

#: What `display_outputs` can group by; the last is an old name of ``order``.
GROUPINGS = ("type", "engine", "order", "collate")


def display_outputs(
    tasks: Sequence[MessageFuture],
    *,
    groupby: str = "type",
    result_only: bool = False,
    prefixed: bool = True,
) -> None:
    """Show what tasks have written, displayed and returned.

    Parameters
    ----------
    tasks : sequence of MessageFuture
        In this order.
    groupby : {'type', 'engine', 'order'}
        All text first, then all that was displayed, then the results; or all of each engine
        together; or like ``'type'``, but the first thing that each engine has displayed, then
        the second of each.
    result_only : bool
        Only the results.
    prefixed : bool
        Whether to say which engine something is from.

    Raises
    ------
    ValueError
        `groupby` is something else.
    TimeoutError
        A task has not ended.
    """
    if groupby not in GROUPINGS:
        raise ValueError(f"groupby must be one of 'type', 'engine', 'order', not {groupby!r}")
    if not all(task.done() for task in tasks):
        raise TimeoutError("Result not ready.")
    wait_for_output(tasks)
    _Outputs(tasks, Screen(prefixed), result_only).show(groupby)


class _Outputs:
    def __init__(self, tasks: Sequence[MessageFuture], screen: Screen, result_only: bool) -> None:
        self._tasks = tasks
        self._screen = screen
        self._all = not result_only

    def show(self, groupby: str) -> None:
        if groupby == "engine":
            for task in self._tasks:
                self._text(task, "stdout")
                self._text(task, "stderr")
                self._displayed(task, label_result=True)
                self._result(task)
            return
        for stream in ("stdout", "stderr"):
            for task in self._tasks:
                self._text(task, stream)
        if groupby == "type":
            for task in self._tasks:
                self._displayed(task)
        else:
            self._collated()
        for task in self._tasks:
            self._result(task)

    def _text(self, task: MessageFuture, stream: str) -> None:
        if self._all and (text := overwritten(task.metadata[stream])):
            self._screen.text(task.metadata["engine_id"], stream, text)

    def _displayed(self, task: MessageFuture, label_result: bool = False) -> None:
        outputs = task.metadata["outputs"] if self._all else []
        engine = task.metadata["engine_id"]
        if outputs or (label_result and task.metadata["execute_result"]):
            self._screen.label(engine)
        for content in outputs:
            self._screen.display(engine, content, update=is_update(content))

    def _collated(self) -> None:
        if not self._all:
            return
        for row in zip_longest(*(task.metadata["outputs"] for task in self._tasks)):
            for task, content in zip(self._tasks, row, strict=True):
                if content is not None:
                    engine = task.metadata["engine_id"]
                    self._screen.label(engine)
                    self._screen.display(engine, content, update=is_update(content))

    def _result(self, task: MessageFuture) -> None:
        if result := task.metadata["execute_result"]:
            self._screen.result(ExecuteReply(task.msg_id, result, task.metadata))
