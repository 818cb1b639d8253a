"""What tasks show, as it comes.

A thread of its own prints: the one that waits for the results is the user's, and the I/O thread
must not wait for a terminal. It runs in the context of the thread that asked for it, so that in a
notebook all goes to the cell of that one, whichever runs meanwhile.
"""

from __future__ import annotations

import contextlib
import contextvars
import queue
import sys
import threading
import weakref
from collections.abc import Iterator, Sequence
from types import TracebackType
from typing import Any

from ..ipython import get_kernel
from ..messaging.execute_reply import ExecuteReply
from ..messaging.interrupts import InterruptsHeld
from ..messaging.recording import overwritten
from ..messaging.resolving import error_of
from ..messaging.tasks import MessageFuture
from .screen import Screen
from .tap import Put, Tap
from .waiting import wait_for_output

#: Something that a task has shown; see `tap.Put`.
Shown = tuple[MessageFuture, str, Any]


class LiveOutput:
    """A context in which the output of tasks is shown as it comes.

    At its end, everything is shown that came by the end of those tasks that have ended.

    Parameters
    ----------
    tasks : sequence of MessageFuture

    Attributes
    ----------
    failed : set of MessageFuture
        Those whose errors were shown.
    """

    def __init__(self, tasks: Sequence[MessageFuture]) -> None:
        self._tasks = tasks
        self._printer = _Printer()
        self.failed = self._printer.failed
        self._thread: threading.Thread | None = None

    def __enter__(self) -> LiveOutput:
        printer = self._printer
        taps = [Tap(task, printer.putter(task)) for task in self._tasks]
        thread = threading.Thread(
            target=contextvars.copy_context().run,
            args=(printer.run,),
            name="ipyparallel-output",
            daemon=True,
        )
        # called by itself if Ctrl-C comes where nothing here can catch it: when `__exit__` begins
        self._end = weakref.finalize(self, _end, taps, printer.queue)
        self._end.atexit = False
        try:
            with InterruptsHeld():
                thread.start()
                self._thread = thread
                for tap in taps:
                    tap.open()
        except BaseException:
            self._close()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        try:
            if kind is None or issubclass(kind, Exception):
                wait_for_output(self._tasks)
        finally:
            self._close()
        if self._printer.problem is not None and kind is None:
            raise self._printer.problem

    def show_failure(self, task: MessageFuture) -> None:
        """Show, after the end, the failure of a task that its output did not tell of."""
        if task not in self.failed:
            self._printer.show(task, "error", error_of(task))

    def _close(self) -> None:
        with InterruptsHeld():
            self._printer.closing.set()
            self._end()
        if self._thread is not None:
            self._thread.join()


def _end(taps: list[Tap], printed: queue.SimpleQueue[Shown | None]) -> None:
    """Have nothing more be printed, and the thread end."""
    for tap in taps:
        tap.close()
    printed.put(None)


class _Printer:
    """Prints what is put into a queue, until that is None.

    Attributes
    ----------
    queue : SimpleQueue of Shown
    failed : set of MessageFuture
        Those whose errors were shown.
    closing : threading.Event
        Set when there is no more to wait for.
    problem : BaseException or None
        Why it has stopped printing.
    """

    def __init__(self) -> None:
        self.queue: queue.SimpleQueue[Shown | None] = queue.SimpleQueue()
        self.failed: set[MessageFuture] = set()
        self.closing = threading.Event()
        self.problem: BaseException | None = None
        self._page = _Page() if get_kernel() is None else _NotebookPage()

    def putter(self, task: MessageFuture) -> Put:
        """What a tap of this task passes things on to."""
        return lambda kind, what: self.queue.put((task, kind, what))

    def run(self) -> None:
        """Print; to be called in a thread."""
        going_on = True
        while going_on:
            batch = [self.queue.get()]
            while not self.queue.empty():
                batch.append(self.queue.get())
            going_on = None not in batch
            try:
                with bars_hidden():
                    for shown in _merged(batch):
                        self.show(*shown)
                    self._page.end_batch()
            except BaseException as e:  # noqa: BLE001  (a broken pipe, say; told at the end)
                self.problem = e
                return
            self.closing.wait(self._page.pause())

    def show(self, task: MessageFuture, kind: str, what: Any) -> None:
        """Print one thing."""
        if kind == "error":
            if task in self.failed:
                return  # both the output and the reply tell of it
            self.failed.add(task)
        self._page.show(task, kind, what)


def bars_hidden() -> Any:
    """Within this, bars of tqdm that are shown make room for other text."""
    # another thread may be importing it just now
    tqdm = getattr(sys.modules.get("tqdm"), "tqdm", None)
    return contextlib.nullcontext() if tqdm is None else tqdm.external_write_mode()


def _merged(batch: list[Shown | None]) -> Iterator[Shown]:
    """What was shown, with texts that follow each other as one."""
    texts: list[str] = []
    source: tuple[MessageFuture, str] | None = None
    for shown in batch:
        if shown is None:
            continue
        task, kind, what = shown
        if source is not None and source != (task, kind):
            yield (*source, "".join(texts))
            source = None
            texts.clear()
        if kind in ("stdout", "stderr"):
            source = (task, kind)
            texts.append(what)
        else:
            yield shown
    if source is not None:
        yield (*source, "".join(texts))


class _Page:
    """One thing below the other: a terminal, or a file."""

    def __init__(self) -> None:
        self._screen = Screen()

    def show(self, task: MessageFuture, kind: str, what: Any) -> None:
        engine = task.metadata["engine_id"]
        if kind in ("stdout", "stderr"):
            if what:
                self.text(task, kind, what)
        elif kind == "display":
            self._screen.label(engine)
            self._screen.display(engine, what)
        elif kind == "update":
            self.update(engine, what)
        elif kind == "result":
            self._screen.result(ExecuteReply(task.msg_id, what, task.metadata))
        elif kind == "error":
            self._screen.error(what)

    def text(self, task: MessageFuture, stream: str, text: str) -> None:
        self._screen.text(task.metadata["engine_id"], stream, text)

    def update(self, engine: Any, content: dict[str, Any]) -> None:
        # what was printed stays: the new state goes below
        self._screen.label(engine)
        self._screen.display(engine, content)

    def end_batch(self) -> None:
        """All that was there has been shown."""
        self._screen.flush()

    def pause(self) -> float:
        """Seconds to let pass, unless this is the end: what comes meanwhile is shown at once."""
        return 0.0


class _NotebookPage(_Page):
    """In a notebook each stream of each task has its own place, where its text grows."""

    #: Seconds between two updates, and how many characters a second they may send: each update
    #: sends the whole text.
    _INTERVAL, _RATE = 0.05, 1e7

    def __init__(self) -> None:
        super().__init__()
        self._texts: dict[tuple[str, str], str] = {}
        self._changed: dict[tuple[str, str], Any] = {}
        self._shown: set[tuple[str, str]] = set()
        self._sent = 0

    def show(self, task: MessageFuture, kind: str, what: Any) -> None:
        if kind not in ("stdout", "stderr"):
            self._flush()  # what comes below it was shown before
        super().show(task, kind, what)

    def text(self, task: MessageFuture, stream: str, text: str) -> None:
        place = (task.msg_id, stream)
        self._texts[place] = overwritten(self._texts.get(place, "") + text)
        self._changed[place] = task.metadata["engine_id"]

    def update(self, engine: Any, content: dict[str, Any]) -> None:
        self._screen.display(engine, content, update=True)

    def end_batch(self) -> None:
        """See the base class."""
        self._flush()
        super().end_batch()

    def _flush(self) -> None:
        from IPython.display import publish_display_data

        for place, engine in self._changed.items():
            msg_id, stream = place
            text = f"[{stream}:{engine}] {self._texts[place]}"
            publish_display_data(
                {"text/plain": text},
                {},
                transient={"display_id": f"{msg_id}-{stream}"},
                update=place in self._shown,
            )
            self._shown.add(place)
            self._sent += len(text)
        self._changed.clear()

    def pause(self) -> float:
        """See the base class."""
        sent, self._sent = self._sent, 0
        return self._INTERVAL + sent / self._RATE
