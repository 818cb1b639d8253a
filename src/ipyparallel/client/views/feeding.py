"""A thread that submits the tasks of a map one after the other, as long as there is room.

What it needs of the user, the next input, may take any time, or fail; so neither the thread that
reads replies asks for it, nor the one that takes results.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING

from ..._host import get_host
from ...error import IPythonError
from ..messaging.tasks import MessageFuture
from ..waiting import deadline_after, time_left

if TYPE_CHECKING:
    from .base import View


class Signal:
    """Has one thread wait until something is so. Others tell it to look again.

    A task on an engine that waits has its engine run other tasks meanwhile; see `_host`.

    `tell` takes no lock: it may be called anywhere, by finalizers too.
    """

    def __init__(self) -> None:
        self._tokens: SimpleQueue[None] = SimpleQueue()
        self._wake: Callable[[], None] | None = None

    def wait(self, ready: Callable[[], bool], timeout: float | None = None) -> bool:
        """Wait until `ready` says so; whether it did within so many seconds.

        Parameters
        ----------
        timeout : float, optional
            None or a negative number: wait for ever.
        """
        host = get_host()
        if host is not None and host.may_serve():
            return host.serve(lambda: self.watch(ready, host.wake), timeout)
        deadline = deadline_after(timeout)
        while not self.watch(ready, lambda: self._tokens.put(None)):
            try:
                self._tokens.get(timeout=time_left(deadline))
            except Empty:
                return ready()
        return True

    def watch(self, ready: Callable[[], bool], wake: Callable[[], None]) -> bool:
        """Whether it is so; if not, `wake` is called when `tell` is called next."""
        self._wake = wake  # before looking: what changes after that is told
        return ready()

    def tell(self) -> None:
        """Something may have changed."""
        wake, self._wake = self._wake, None
        if wake is not None:
            wake()


class Feeder:
    """The thread, and what stops it.

    Parameters
    ----------
    submit_next : callable
        Submits the next task; whether there was one.
    has_room : callable
        Whether to go on now; asked again after each `look`.
    at_end : callable
        Called last, in the thread, with what `submit_next` has raised, if anything.
    """

    def __init__(
        self,
        submit_next: Callable[[], bool],
        has_room: Callable[[], bool],
        at_end: Callable[[BaseException | None], None],
    ) -> None:
        self._submit_next = submit_next
        self._has_room = has_room
        self._at_end = at_end
        self._signal = Signal()
        self.stopped = False

    def start(self) -> None:
        """Begin."""
        # it may wait for the user's input for ever, and must not keep Python from ending
        threading.Thread(target=self._run, name="ipyparallel map", daemon=True).start()

    def look(self) -> None:
        """There may be room now; from any thread, and from finalizers."""
        self._signal.tell()

    def stop(self) -> None:
        """Have it submit nothing any more, but for what it is just submitting."""
        self.stopped = True
        self._signal.tell()

    def wait(self, ready: Callable[[], bool]) -> None:
        """In its own thread, wait until something is so, or until it is stopped."""
        self._signal.wait(lambda: self.stopped or ready())

    def _run(self) -> None:
        failure = None
        try:
            while True:
                self.wait(self._has_room)
                if self.stopped or not self._submit_next():
                    break
        except BaseException as e:  # noqa: BLE001  (the user's input may raise anything)
            failure = e
        self._at_end(failure)
        # whoever has made this is free as soon as nobody holds it, without a search for cycles
        del self._submit_next, self._has_room, self._at_end


def abort_unwanted(view: View, msg_ids: list[str]) -> None:
    """Have tasks not run whose results nobody wants any more, if there is anybody to tell."""
    if msg_ids:
        with suppress(IPythonError, OSError):
            view.client.abort(msg_ids, block=False)


def seconds_on_engine(task: MessageFuture) -> float | None:
    """How long a task that has ended ran, by its engine's clock, if it said so."""
    elapsed = task.reply_metadata.elapsed if task.reply_metadata else None
    return elapsed if isinstance(elapsed, float) else None
