"""Waits for code that runs on engines, with all that a user may want meanwhile.

Output is shown as it comes, a bar tells how far it is, Ctrl-C and a time limit interrupt the
engines.
"""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING, Any

from IPython.core.error import UsageError

from ...error import AlreadyDisplayedError
from ..display.live import LiveOutput, bars_hidden
from ..messaging.resolving import error_of
from ..messaging.tasks import MessageFuture
from ..results import AsyncResult
from ..waiting import progress_bar

if TYPE_CHECKING:
    from ..client import Client

#: Seconds that interrupted engines have to say so, before the prompt comes back.
_LAST_WORDS = 5.0

#: Seconds between updates of the progress bar.
_BAR_INTERVAL = 0.1


class Run:
    """How to wait for the end of one ``%px``, and what to show.

    Parameters
    ----------
    client : Client
    stream : bool
        Whether output is shown as it comes, or at the end.
    groupby : str
        How it is grouped then; see `AsyncResult.display_outputs`.
    progress_after : float
        Seconds after which there is a bar; negative: none.
    signal : str or int
        What Ctrl-C sends to the engines; 0: nothing, they go on.
    timeout : float, optional
        Seconds after which the engines are interrupted.
    """

    def __init__(
        self,
        client: Client,
        *,
        stream: bool,
        groupby: str = "type",
        progress_after: float = 2,
        signal: str | int = "SIGINT",
        timeout: float | None = None,
    ) -> None:
        self._client = client
        self._stream = stream
        self._groupby = groupby
        self._progress_after = progress_after
        self._signal = signal
        self._timeout = timeout
        #: The engines that have not ended in time.
        self._late: list[int] = []
        #: Whether the user has left them to themselves.
        self._left = False

    def wait(self, result: AsyncResult) -> None:
        """Wait for the end, and show what there is to show.

        Raises
        ------
        AlreadyDisplayedError
            The code failed, and the errors were shown as they came.
        RemoteError
            The code failed.
        TimeoutError
            It took too long.
        """
        live = result.stream_output() if self._stream else None
        with ExitStack() as stack:
            if live is not None:
                stack.enter_context(live)
            in_time = self._wait_interruptibly(result)
        if live is None and result.done():
            result.display_outputs(groupby=self._groupby)
        elif live is None:
            with result.stream_output():  # what there is so far
                pass
        if self._left:
            return
        if not in_time:
            raise shown_in_one_line(TimeoutError(self._too_long(result)))
        self._raise_failures(result, live)

    # ---- waiting

    def _wait_interruptibly(self, result: AsyncResult) -> bool:
        started = time.monotonic()
        limit = None if self._timeout is None else started + self._timeout
        bar_at = None if self._progress_after < 0 else started + self._progress_after
        with ExitStack() as stack:
            try:
                ended = _wait(result, limit, bar_at, stack)
            except KeyboardInterrupt:
                ended = self._interrupted(result, stack)
            if not ended and not self._left:
                self._late = _engines_of(_running(result))
                self._interrupt(result, self._signal or "SIGINT")
                result.wait(_LAST_WORDS)
        return ended

    def _interrupted(self, result: AsyncResult, stack: ExitStack) -> bool:
        """Ctrl-C was pressed: pass it on, and do not wait for ever for what comes of it."""
        _say(f"Received Keyboard Interrupt. Sending signal {self._signal} to engines...")
        ended = False
        with suppress(KeyboardInterrupt):  # a second one means: do not wait at all
            if self._signal:
                self._interrupt(result, self._signal)
                ended = _wait(result, time.monotonic() + _LAST_WORDS, None, stack)
        if not ended:
            self._left = True
            if still := _engines_of(_running(result)):
                _say(f"Engine(s) {still} still run it.")
        return ended

    def _interrupt(self, result: AsyncResult, signal: str | int) -> None:
        """Send a signal to the engines that have not ended."""
        here = set(self._client.ids)
        targets = [engine for engine in _engines_of(_running(result)) if engine in here]
        if targets:
            self._client.send_signal(signal, targets=targets, block=True)

    def _too_long(self, result: AsyncResult) -> str:
        text = f"%px did not end within {self._timeout:g} s on engine(s) {self._late}"
        still = _engines_of(_running(result))
        signal = self._signal or "SIGINT"
        if still:
            return f"{text}; {signal} was sent to them, and {still} still run it"
        return f"{text}; {signal} was sent to them, and they have ended it"

    # ---- failures

    def _raise_failures(self, result: AsyncResult, live: LiveOutput | None) -> None:
        failed = [task for task in result._children if error_of(task) is not None]
        if not failed:
            return
        error: Any = result._failure(failed)
        if live is None or not live.failed:
            raise error
        for task in failed:
            # such as that of an engine that died
            live.show_failure(task)
        raise AlreadyDisplayedError(error)


def _wait(result: AsyncResult, limit: float | None, bar_at: float | None, stack: ExitStack) -> bool:
    """Wait until it is done, or until `limit`; from `bar_at` on with a bar. Whether it is done."""
    bar: Any = None
    while not result.done():
        now = time.monotonic()
        if limit is not None and now >= limit:
            return False
        if bar is None and bar_at is not None and now >= bar_at:
            bar = stack.enter_context(progress_bar(len(result), result._fname, "tasks"))
        if bar is not None:
            bar.update(result.progress - bar.n)
        next_event = now + _BAR_INTERVAL if bar is not None else bar_at
        events = [moment for moment in (limit, next_event) if moment is not None]
        result.wait(max(0.0, min(events) - now) if events else None)
    if bar is not None:
        bar.update(result.progress - bar.n)
    return True


def _say(text: str) -> None:
    with bars_hidden():
        print(text, file=sys.stderr)  # noqa: T201


def _running(result: AsyncResult) -> list[MessageFuture]:
    return [task for task in result._children if not task.done()]


def _engines_of(tasks: Sequence[MessageFuture]) -> list[int]:
    return sorted({task.engine_id for task in tasks if task.engine_id is not None})


def shown_in_one_line(error: Exception) -> Exception:
    """The same, which IPython shows without a traceback: this says nothing to the user."""
    error._render_traceback_ = lambda: [f"{type(error).__name__}: {error}"]  # type: ignore[attr-defined]
    return error


# ---- what is given as text


def parse_signal(signal: str | int) -> str | int:
    """A signal by its name or number; 0 for none.

    Engines may know others than this system does.
    """
    if isinstance(signal, int):
        return signal
    if re.fullmatch(r"\d+", signal):
        return int(signal)
    if re.fullmatch(r"SIG[A-Z0-9+]+", signal):
        return signal
    raise UsageError(
        "--signal-on-interrupt needs the name or the number of a signal, such as SIGINT,"
        f" not {signal!r}"
    )


def parse_targets(targets: Any, client: Client, shell: Any) -> Any:
    """Engines as they are given to ``--targets``.

    Parameters
    ----------
    targets : str or targets
        ``all``, a slice of the ids there are, or an expression.

    Raises
    ------
    UsageError
        It is none of these, or there are no such engines.
    """
    given = targets
    if isinstance(targets, str):
        if "all" in targets:
            return "all"
        targets = _slice(targets, client) or _evaluated(targets, shell)
    try:
        client._resolve(targets)
    except (IndexError, TypeError) as e:
        raise UsageError(f"--targets {given}: {e}") from None
    return targets


def _slice(text: str, client: Client) -> list[int] | None:
    if not re.fullmatch(r"\s*(-?\d+)?\s*:\s*(-?\d+)?\s*(:\s*(-?\d+)?\s*)?", text):
        return None
    parts = [int(part) if part.strip() else None for part in text.split(":")]
    ids = client.ids[slice(*parts)]
    if not ids:
        raise UsageError(f"--targets {text}: there are no such engines, only {client.ids}")
    return ids


def _evaluated(text: str, shell: Any) -> Any:
    try:
        return shell.ev(text)
    except Exception as e:  # noqa: BLE001  (it is the user's expression)
        raise UsageError(f"--targets {text}: {type(e).__name__}: {e}") from None


def describe_targets(targets: Any) -> str:
    """Engines in a few words."""
    if isinstance(targets, list) and len(targets) > 10:
        first, last = (", ".join(map(str, part)) for part in (targets[:4], targets[-4:]))
        return f"[{first}, ..., {last}]"
    return str(targets)
