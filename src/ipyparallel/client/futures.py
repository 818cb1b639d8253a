"""The old import path of `MessageFuture`, and futures of several others."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from concurrent.futures import Future
from typing import Any

from tornado.concurrent import (
    future_add_done_callback,
    future_set_exc_info,
    future_set_result_unless_cancelled,
)

from .messaging.tasks import MessageFuture

__all__ = [
    "MessageFuture",
    "future_add_done_callback",
    "future_set_exc_info",
    "future_set_result_unless_cancelled",
    "multi_future",
]


def multi_future(children: Iterable[Future[Any]]) -> Future[list[Any]]:
    """A future of the list of the results of others; it fails as the first of them that does.

    Parameters
    ----------
    children : iterable of concurrent.futures.Future
    """
    futures = list(children)
    joint: Future[list[Any]] = Future()
    joint.set_running_or_notify_cancel()
    left = len(futures)
    lock = threading.Lock()

    def child_done(_: Future[Any]) -> None:
        nonlocal left
        with lock:
            left -= 1
            if left:
                return
        try:
            joint.set_result([future.result() for future in futures])
        except BaseException as e:  # noqa: BLE001  (what failed is the result)
            joint.set_exception(e)

    for future in futures:
        future.add_done_callback(child_done)
    if not futures:
        joint.set_result([])
    return joint
