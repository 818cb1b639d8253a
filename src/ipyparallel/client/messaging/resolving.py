"""Futures that are resolved in the I/O thread, which must go on whatever their callbacks do."""

from __future__ import annotations

import logging
from concurrent.futures import CancelledError, Future, InvalidStateError
from typing import Any

from ...serialize.later import reduce_result

_log = logging.getLogger("ipyparallel.client")


class SafeFuture(Future[Any]):
    """A future that calls all of its callbacks, whatever one of them raises.

    The base class lets through what is no Exception, such as SystemExit: the callbacks after that
    one would not be called, and the thread that resolves the future would end.

    When it is cancelled, it says how: `exception` and `result` raise the error given.
    """

    #: What a cancelled future raises.
    _cancelled_as: BaseException | None = None

    def __reduce__(self) -> Any:
        return reduce_result(self)

    def set_cancelled(self, error: CancelledError) -> bool:
        """End it as cancelled, with this error; whether it had not ended before."""
        if self.done():
            return False
        self._cancelled_as = error
        return Future.cancel(self)

    def exception(self, timeout: float | None = None) -> BaseException | None:
        """See `concurrent.futures.Future.exception`."""
        try:
            return super().exception(timeout)
        except CancelledError:
            if self._cancelled_as is None:
                raise
        raise self._cancelled_as.with_traceback(None)

    def result(self, timeout: float | None = None) -> Any:
        """See `concurrent.futures.Future.result`."""
        try:
            return super().result(timeout)
        except CancelledError:
            # the result may be such an error itself: that of a task that has cancelled another
            if self._cancelled_as is None or not self.cancelled():
                raise
        raise self._cancelled_as.with_traceback(None)

    def _invoke_callbacks(self) -> None:
        if self.cancelled():
            # `wait` and `as_completed` hear of it; before the callbacks, which may call these
            self.set_running_or_notify_cancel()
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
    except CancelledError:
        pass
    return True


def error_of(future: Future[Any]) -> BaseException | None:
    """What a future failed with; that it was cancelled is an error, too. Waits for it."""
    if isinstance(future, SafeFuture) and future.cancelled() and future._cancelled_as is not None:
        return future._cancelled_as
    try:
        return future.exception()
    except CancelledError as e:
        return e


def outcome(future: Future[Any]) -> Any:
    """What a task that has ended returned, or what it failed with."""
    error = error_of(future)
    return future.result() if error is None else error


def resolve(future: Future[Any], result: Any = None, error: BaseException | None = None) -> bool:
    """Give a future its result, or its error, unless it has one, or was cancelled.

    Returns
    -------
    bool
        Whether it was given it.
    """
    try:
        if error is not None:
            future.set_exception(error)
        else:
            future.set_result(result)
    except InvalidStateError:
        return False
    return True
