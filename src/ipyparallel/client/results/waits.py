"""Waiting for a result, and for what belongs to it."""

from __future__ import annotations

from concurrent.futures import ALL_COMPLETED, FIRST_COMPLETED
from concurrent.futures import wait as wait_for_futures
from typing import TYPE_CHECKING, Any

from ..messaging.resolving import error_of, is_done
from ..messaging.tasks import MessageFuture
from ..waiting import deadline_after, show_progress, time_left
from .info import TaskInfo

if TYPE_CHECKING:
    from ..client import Client


class WaitableResult(TaskInfo):
    """The part of `AsyncResult` that waits: for results, for output, for memory to be sent."""

    _fname: str
    _client: Client | None

    def split(self) -> tuple[Any, ...]:
        """See `AsyncResult`."""
        raise NotImplementedError

    def wait(self, timeout: float | None = -1, return_when: str | None = None) -> Any:
        """Wait until the result is there.

        Parameters
        ----------
        timeout : float, optional
            Seconds; None or a negative number: for ever.
        return_when : {'ALL_COMPLETED', 'FIRST_COMPLETED', 'FIRST_EXCEPTION'}, optional
            As for `concurrent.futures.wait`.

        Returns
        -------
        bool, or (set of AsyncResult, set of AsyncResult)
            Whether it is there. With `return_when`, what has ended, and what has not: parts of
            this; see `split`.
        """
        if return_when is not None:
            done, _ = self._wait_for_tasks(timeout, return_when)
            parts = dict(zip(self._children, self.split(), strict=True))
            ended = {parts[child] for child in done}
            return ended, set(parts.values()) - ended
        if self._client is not None and not self.done():
            self._client._messenger.check_process()
        return is_done(self, _seconds(timeout))

    def _wait_for_tasks(
        self, timeout: float | None, return_when: str
    ) -> tuple[list[MessageFuture], list[MessageFuture]]:
        done, _ = wait_for_futures(self._children, _seconds(timeout), return_when)
        return (
            [child for child in self._children if child in done],
            [child for child in self._children if child not in done],
        )

    def ready(self) -> bool:
        """Whether the result is there."""
        return self.done()

    def successful(self) -> bool:
        """Whether nothing failed.

        Raises
        ------
        RuntimeError
            The result is not there yet.
        """
        if not self.done():
            raise RuntimeError("Not ready: call wait() or get() first.")
        return all(error_of(child) is None for child in self._children)

    def wait_for_output(self, timeout: float | None = -1) -> bool:
        """Wait until all output is there, too; whether it is, after so many seconds."""
        deadline = deadline_after(timeout)
        for child in self._children:
            if not is_done(child.output, time_left(deadline)) and not child.output_done:
                return False
        return True

    def wait_interactive(
        self,
        interval: float = 0.1,
        timeout: float | None = -1,
        widget: bool | None = None,
        return_when: str = ALL_COMPLETED,
    ) -> None:
        """Wait, and show a bar of how many tasks have ended.

        Parameters
        ----------
        interval : float
            Seconds between updates.
        timeout : float, optional
            Seconds after which to return, ready or not; None or a negative number: never.
        widget : bool, optional
            Whether the bar is a widget; by default in a notebook.
        return_when : {'ALL_COMPLETED', 'FIRST_COMPLETED', 'FIRST_EXCEPTION'}
            As for `wait`.
        """

        def ended(seconds: float) -> bool:
            if return_when == ALL_COMPLETED:
                return bool(self.wait(seconds))
            done, pending = self._wait_for_tasks(seconds, return_when)
            failed = any(error_of(child) is not None for child in done)
            return not pending or failed or (bool(done) and return_when == FIRST_COMPLETED)

        show_progress(
            ended,
            lambda: self.progress,
            total=len(self),
            desc=self._fname,
            unit="tasks",
            interval=interval,
            timeout=timeout,
            widget=widget,
        )

    # ---- the memory of large arguments

    @property
    def sent(self) -> bool:
        """Whether the memory of large arguments may be written to again; see the flag `track`."""
        return all(child.memory is None or child.memory.done for child in self._children)

    def wait_for_send(self, timeout: float | None = -1) -> None:
        """Wait until `sent`.

        Raises
        ------
        TimeoutError
            It is not so after that many seconds.
        """
        from zmq import NotDone

        deadline = deadline_after(timeout)
        for child in self._children:
            if child.memory is None:
                continue
            left = time_left(deadline)
            try:
                child.memory.wait(-1.0 if left is None else left)
            except NotDone:
                raise TimeoutError("Still waiting to be sent.") from None


def _seconds(timeout: float | None) -> float | None:
    return None if timeout is None or timeout < 0 else timeout
