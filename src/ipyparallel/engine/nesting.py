"""Tasks that wait for tasks: while one does, its engine runs others, nested in it.

Were it to stand still, engines that all wait for tasks, which no engine is left to run, would do so
for ever. What is waited for is a future of this engine's own client (see `get_client`), in the main
thread, by code that a request runs.
"""

from __future__ import annotations

import os
import select
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

import zmq

from ..protocol.messages import UNREADABLE, RequestMetadata, decode_request_metadata
from .forked import is_forked
from .interrupts import interruptible, protected

if TYPE_CHECKING:
    import asyncio

    from ..protocol.session import Message
    from .ledger import Ledger
    from .requests import Requests

#: From so many on that wait, one on top of the other, those are begun first that are deeper among
#: the tasks that tasks have submitted. The deepest of all wait for such.
_PILE = 50

#: Seconds in which none of these came, after which another one is begun all the same: the scheduler
#: may not send them as long as this engine has others.
_PATIENCE = 0.05

#: Most that may wait: the stack of the main thread is not endless.
_MAX_LEVEL = 400

#: Python's frames that a nested request, and the waiting for it, may have besides all those below
#: it. Each has as many as if it were alone.
_FRAMES = sys.getrecursionlimit()


class Nesting:
    """Runs requests while the code of another one waits.

    Parameters
    ----------
    requests : Requests
        Where the requests come from.
    loop : asyncio loop
        The engine's.
    """

    def __init__(self, requests: Requests, ledger: Ledger, loop: asyncio.AbstractEventLoop) -> None:
        self._requests = requests
        self._ledger = ledger
        self._loop = loop
        self._main = threading.get_ident()
        self._wake_read, self._wake_write = os.pipe()
        os.set_blocking(self._wake_read, False)
        os.set_blocking(self._wake_write, False)
        self._poller = zmq.Poller()
        self._poller.register(self._wake_read, select.POLLIN)
        #: How many futures are awaited on the event loop.
        self.awaited = 0

    def watch(self, *sockets: zmq.Socket[bytes]) -> None:
        """Requests come from these."""
        for socket in sockets:
            self._poller.register(socket, zmq.POLLIN)

    def close(self) -> None:
        """Nothing will wait any more."""
        # not the other end: a thread may be about to write to it
        os.close(self._wake_read)

    def _run_next(self, is_patient: bool = False) -> bool:
        """Run a request, if there is one that can be run; whether there was.

        Parameters
        ----------
        is_patient : bool
            Only one that is deeper than the running one.
        """
        deeper_than = depth_of(self._requests.current) if is_patient else -1
        found = self._requests.take_nested(deeper_than)
        if found is not None:
            self._requests.run_nested(*found)
        return found is not None

    # ---- waiting without the event loop

    def may_serve(self) -> bool:
        """Whether `serve` may be called: by code of a running request, in the main thread."""
        return threading.get_ident() == self._main and self._requests.busy and not is_forked()

    def serve(self, done: Callable[[], bool], timeout: float | None) -> bool:
        """Run requests until `done`, or for so many seconds; what `done` says then.

        A request that has begun is not broken off for the timeout, nor because it is done.

        Raises
        ------
        KeyboardInterrupt
            The code that waits is interrupted.
        RuntimeError
            Too many requests wait, one on top of the other.
        """
        if self._ledger.level > _MAX_LEVEL:
            raise RuntimeError(
                f"{_MAX_LEVEL} tasks wait on this engine for tasks, each nested in another; let"
                " fewer of them wait, or share them out to more engines"
            )
        self._serve(done, timeout)
        self._ledger.check()
        return done()

    @protected
    def _serve(self, done: Callable[[], bool], timeout: float | None) -> None:
        deadline = None if timeout is None else time.monotonic() + timeout
        with self._requests.waiting(), _room():
            is_pile = is_patient = self._ledger.level >= _PILE
            while not done() and not self._ledger.top_is_cancelled():
                if self._run_next(is_patient):
                    is_patient = is_pile
                    continue
                left = None if deadline is None else deadline - time.monotonic()
                if left is not None and left <= 0:
                    return
                if is_patient:
                    left = _PATIENCE if left is None else min(left, _PATIENCE)
                try:
                    something_came = self._sleep(left)
                finally:  # also when it is interrupted: looking has used up the sign
                    self._requests.read()
                is_patient = is_pile and something_came

    @interruptible
    def _sleep(self, seconds: float | None) -> bool:
        """Until a request may have come, or something is done; whether it is so."""
        self._ledger.check()
        events = self._poller.poll(None if seconds is None else max(1, int(seconds * 1000)))
        with suppress(BlockingIOError):
            os.read(self._wake_read, 4096)
        return bool(events)

    def wake(self) -> None:
        """Have `serve` look again; from any thread."""
        # full: it will look anyway
        with suppress(BlockingIOError, BrokenPipeError):
            os.write(self._wake_write, b"x")

    # ---- waiting on the event loop

    def serve_while_awaited(self, future: Future[Any]) -> None:
        """Run requests as they come, on the loop, until this future is done."""
        if threading.get_ident() != self._main or future.done():
            return
        self.awaited += 1
        future.add_done_callback(self._done)
        self._loop.call_soon(self.run_all)

    def run_all(self) -> None:
        """Run the requests that have come, if something is awaited."""
        while self.awaited and self._requests.busy and self._run_next():
            pass

    def _done(self, _: Future[Any]) -> None:
        def end() -> None:
            self.awaited -= 1

        with suppress(RuntimeError):  # the loop is closed: the engine has ended
            self._loop.call_soon_threadsafe(end)


def depth_of(message: Message | None) -> int:
    """How many tasks are above a request: 0 if it was not sent by a task."""
    if message is None or b'"depth"' not in message.metadata_frame:
        return 0  # most say nothing of it, which is seen faster so
    try:
        return decode_request_metadata(message.metadata_frame).depth
    except UNREADABLE:
        return 0


def lineage_of_subtasks(message: Message | None) -> dict[str, Any]:
    """What is said of the tasks that this request submits; see `TaskMetadata`."""
    if message is None:
        return {}
    try:
        metadata = decode_request_metadata(message.metadata_frame)
    except UNREADABLE:  # nothing in it was needed to run it
        metadata = RequestMetadata()
    return {
        "depth": metadata.depth + 1,
        "on_behalf_of": metadata.on_behalf_of or message.header.session,
    }


@contextmanager
def _room() -> Iterator[None]:
    """Within this context there may be as many more frames as there are by now."""
    used = 0
    frame = sys._getframe()
    while (below := frame.f_back) is not None:
        frame = below
        used += 1
    before = sys.getrecursionlimit()
    # calls in C count, too, and are not among the frames
    limit = max(before, 2 * used + _FRAMES)
    sys.setrecursionlimit(limit)
    try:
        yield
    finally:
        # one that the code has set itself meanwhile holds
        if sys.getrecursionlimit() == limit:
            sys.setrecursionlimit(before)
