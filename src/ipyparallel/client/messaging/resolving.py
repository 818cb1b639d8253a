"""Futures that are resolved in the I/O thread, which must go on whatever their callbacks do."""

from __future__ import annotations

import logging
from concurrent.futures import Future, InvalidStateError
from contextlib import suppress
from typing import Any

_log = logging.getLogger("ipyparallel.client")


class SafeFuture(Future[Any]):
    """A future that calls all of its callbacks, whatever one of them raises.

    The base class lets through what is no Exception, such as SystemExit: the callbacks after that
    one would not be called, and the thread that resolves the future would end.
    """

    def _invoke_callbacks(self) -> None:
        for callback in self._done_callbacks:  # type: ignore[attr-defined]
            try:
                callback(self)
            except BaseException:  # noqa: BLE001  (a user's)
                _log.exception("A callback of a result failed")


def is_done(future: Future[Any], timeout: float | None) -> bool:
    """Whether a future is done within so many seconds; None: wait for ever.

    That it failed with a TimeoutError of its own is not taken for ours.
    """
    try:
        future.exception(timeout)
    except TimeoutError:
        return future.done()
    return True


def resolve(future: Future[Any], result: Any = None, error: BaseException | None = None) -> None:
    """Give a future its result, or its error, unless it has one, or was cancelled."""
    with suppress(InvalidStateError):
        if error is not None:
            future.set_exception(error)
        else:
            future.set_result(result)
