"""Which requests run, have run, must not run, and are to be interrupted.

The main thread begins and ends them, one at a time, or one on top of another that waits. The
control thread is asked to abort, to take back, and to cancel. A request is on one side of its
beginning or on the other: that is decided under the lock.

To interrupt a request the control thread marks it, and then sends the main thread a SIGINT. What
its handler finds decides: if the request on top is marked, it is interrupted; if not, because the
one that was meant has ended meanwhile, or waits beneath another, nothing happens. A request that is
not interruptible at this moment, or waits beneath, looks for the mark itself as soon as it is.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from enum import Enum, auto

#: How many ids of aborted requests are kept that have not come; most never will, since a client
#: tells all engines.
_MAX_ABORTED = 100_000

#: How many ids of requests that have begun are kept.
_MAX_BEGUN = 5_000

#: Seconds after which a signal that was not handled is sent again: the main thread may have been
#: in C code for so long, or the user's own handler took it.
_RESEND = 1.0


class Turn(Enum):
    """What happens to a request whose turn it is."""

    RUN = auto()
    #: Answer that it was aborted.
    ABORT = auto()
    #: Do not answer: the scheduler has taken it back.
    SKIP = auto()


class Ledger:
    """See the module's text."""

    def __init__(self) -> None:
        #: The requests that run: each waits for those behind it, but the last.
        self._running: list[str] = []
        #: Those of them that the scheduler has sent.
        self._balanced: set[str] = set()
        #: Those of them that are to be interrupted.
        self.cancelled: set[str] = set()
        #: When a signal was sent that the handler has not seen yet; else 0.
        self._signalled = 0.0
        self._lock = threading.Lock()
        self._begun: deque[str] = deque(maxlen=_MAX_BEGUN)
        self._last_task = ""
        self._aborted: dict[str, None] = {}
        self._taken_back: set[str] = set()

    # ---- the main thread

    def begin(self, msg_id: str, balanced: bool, sending: str = "") -> Turn:
        """It is the turn of this request; one that is to run is on top from now on.

        Parameters
        ----------
        balanced : bool
            Whether the scheduler has sent it.
        sending : str
            How the scheduler names it, and all do that ask for it, if not by its id: it was sent
            before, and that time does not count.
        """
        name = sending or msg_id
        with self._lock:
            if balanced:
                if name in self._taken_back:
                    self._taken_back.discard(name)
                    return Turn.SKIP
                self._last_task = name
            self._begun.append(name)
            if self._aborted and msg_id in self._aborted:
                del self._aborted[msg_id]
                return Turn.ABORT
            if self.cancelled:  # one may have ended while it was marked
                self.cancelled.intersection_update(self._running)
            self._running.append(name)
            if balanced:
                self._balanced.add(name)
            return Turn.RUN

    def end(self) -> None:
        """The request on top has ended."""
        msg_id = self._running.pop()
        self._balanced.discard(msg_id)
        if self.cancelled:
            self.cancelled.discard(msg_id)

    @property
    def level(self) -> int:
        """How many requests run: one, and those that wait beneath it."""
        return len(self._running)

    def top_is_cancelled(self) -> bool:
        """Whether the request on top is to be interrupted."""
        running = self._running
        return bool(self.cancelled and running and running[-1] in self.cancelled)

    def check(self) -> None:
        """Raise KeyboardInterrupt if the request on top is to be interrupted."""
        if self.top_is_cancelled():
            raise KeyboardInterrupt

    def take_signal(self) -> bool:
        """Whether the signal that is being handled was sent by `cancel`. Takes no lock."""
        sent = bool(self._signalled)
        self._signalled = 0.0
        return sent

    # ---- any thread

    def running(self, balanced: bool) -> list[str]:
        """The requests that run, one on top of the other; those of the scheduler, or the others."""
        return [name for name in list(self._running) if (name in self._balanced) is balanced]

    def is_taken_back(self, name: str) -> bool:
        """Whether a balanced task that has not begun will not begin."""
        return name in self._taken_back

    def begun(self) -> set[str]:
        """The requests that have begun, and maybe ended; not those long ago."""
        with self._lock:
            return set(self._begun)

    def has_begun(self, name: str) -> bool:
        """Whether a request has begun, and maybe ended; not known of those long ago."""
        with self._lock:
            return name in self._begun

    def cancel(
        self,
        msg_ids: Iterable[str],
        interrupt: Callable[[], None] | None,
        silently: bool = False,
    ) -> dict[str, str]:
        """Interrupt these requests if they run, and do not run them if they have not begun.

        Parameters
        ----------
        interrupt : callable, optional
            Sends the main thread a SIGINT; without it, those that run are left alone.
        silently : bool
            Whether those that have not begun are taken back, instead of answered as aborted.

        Returns
        -------
        dict
            Where each of them is: ``running``, ``queued`` or ``finished``; or ``spared``.
        """
        outcomes = {}
        with self._lock:
            begun = set(self._begun)
            for msg_id in msg_ids:
                if msg_id in self._running and interrupt is None:
                    outcomes[msg_id] = "spared"
                    continue
                if msg_id in self._running:
                    self.cancelled.add(msg_id)
                    outcomes[msg_id] = "running"
                    continue
                if msg_id in begun:
                    outcomes[msg_id] = "finished"
                    continue
                outcomes[msg_id] = "queued"
                if silently:
                    self._taken_back.add(msg_id)
                else:
                    self._abort((msg_id,))
            now = time.monotonic()
            if (
                interrupt is not None
                and "running" in outcomes.values()
                and now - self._signalled > _RESEND
            ):
                self._signalled = now
                interrupt()
        return outcomes

    def abort(self, msg_ids: Iterable[str]) -> None:
        """Answer these requests as aborted when their turn comes, if it does."""
        with self._lock:
            self._abort(msg_ids)

    def _abort(self, msg_ids: Iterable[str]) -> None:
        self._aborted.update(dict.fromkeys(msg_ids))
        while len(self._aborted) > _MAX_ABORTED:
            del self._aborted[next(iter(self._aborted))]

    def take_back(self, msg_ids: list[str]) -> list[str]:
        """Do not run those of these balanced tasks that have not begun; which these are."""
        with self._lock:
            # Tasks are begun in the order in which they were sent, and none is sent between the
            # scheduler's asking and our answer. So what comes after the one begun last, which
            # may be before them all, has not begun.
            if self._last_task in msg_ids:
                msg_ids = msg_ids[msg_ids.index(self._last_task) + 1 :]
            # but when very many wait: then those that are waited for go first
            begun = set(self._begun)
            msg_ids = [msg_id for msg_id in msg_ids if msg_id not in begun]
            self._taken_back.update(msg_ids)
            return msg_ids
