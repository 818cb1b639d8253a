"""What IPython keeps of each execution, bounded: an engine may run millions of them.

Of those that came last all is there, as in any IPython: ``In`` and ``Out``, ``_5`` and ``_i5``,
and the lines of code for tracebacks.
"""

from __future__ import annotations

import linecache
from typing import Any

from ipykernel.compiler import XCachingCompiler

#: Of so many executions what was typed is kept; their values, too, unless the configuration of
#: IPython names another number (``InteractiveShell.cache_size``).
KEPT = 1000

#: The database of the history is looked through once in so many executions.
_SWEEP = 100


class Memory:
    """Forgets what a shell has kept for long.

    Parameters
    ----------
    shell : InteractiveShell
        Its history is in memory.
    """

    def __init__(self, shell: Any, kept: int = KEPT) -> None:
        self._shell = shell
        self._kept = kept
        #: The first execution that has not been forgotten: of its input, and of its output.
        self._inputs = self._outputs = 1

    def watch(self) -> None:
        """Forget after each execution from now on."""
        self._shell.events.register("post_execute", self._forget)

    def _forget(self) -> None:
        count = self._shell.execution_count
        # always a step before IPython itself culls many, with a warning each time
        outputs = count - (self._shell.cache_size or self._kept)
        for number in range(min(self._outputs, outputs), outputs + 1):
            self._forget_output(number)
        self._outputs = outputs + 1
        inputs = count - self._kept
        for number in range(min(self._inputs, inputs), inputs + 1):
            self._forget_input(number)
        self._inputs = inputs + 1

    def _forget_output(self, number: int) -> None:
        history = self._shell.history_manager
        self._forget_name(f"_{number}")
        for kept in (history.output_hist, history.output_hist_reprs):
            kept.pop(number, None)
        # these are of newer versions of IPython
        for name in ("outputs", "exceptions"):
            getattr(history, name, {}).pop(number, None)

    def _forget_input(self, number: int) -> None:
        history = self._shell.history_manager
        self._forget_name(f"_i{number}")
        for inputs in (history.input_hist_parsed, history.input_hist_raw):
            if 0 < number < len(inputs):
                inputs[number] = ""  # the others stay in their places
        # what waits to be written to the database, and that itself
        with history.db_input_cache_lock:
            del history.db_input_cache[: -self._kept]
        if number > 0 and number % _SWEEP == 0:
            with history.db:
                history.db.execute("DELETE FROM history WHERE line <= ?", (number,))

    def _forget_name(self, name: str) -> None:
        """Forget a variable, unless the user has made it another's."""
        hidden, names = self._shell.user_ns_hidden, self._shell.user_ns
        if name in hidden:
            value = hidden.pop(name)
            if names.get(name) is value:
                names.pop(name, None)


class Compiler(XCachingCompiler):  # type: ignore[misc]
    """Keeps the lines of the pieces of code that came last."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._names: dict[str, None] = {}

    def cache(self, *args: Any, **kwargs: Any) -> str:
        """See the base class."""
        name: str = super().cache(*args, **kwargs)
        self._names.pop(name, None)
        self._names[name] = None
        while len(self._names) > KEPT:
            oldest = next(iter(self._names))
            del self._names[oldest]
            self._filename_map.pop(oldest, None)
            linecache.cache.pop(oldest, None)
        return name
