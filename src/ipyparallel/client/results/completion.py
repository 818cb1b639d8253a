"""When the last of the tasks behind a result has ended."""

from __future__ import annotations

import threading
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .result import AsyncResult


class Completion:
    """Completes a result when the last of its tasks has ended.

    Lets go of it then: a task and the result that refer to each other would stay in memory until
    the next search for cycles.
    """

    __slots__ = ("_left", "_lock", "_result")

    def __init__(self, result: AsyncResult) -> None:
        self._result: AsyncResult | None = result
        self._left = len(result._children)
        self._lock = threading.Lock()

    def __call__(self, child: Future[Any]) -> None:
        with self._lock:
            self._left -= 1
            if self._left:
                return
        result, self._result = self._result, None
        assert result is not None
        result._complete()
