"""A controller that may be killed and started again: whom it waits for, and who waits for it.

Its engines are in a table on disk. The next one expects them back for a few seconds; meanwhile the
tasks of clients wait, which an engine may run already, and so do requests to engines that are not
back yet.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from . import link
from .engine_table import EngineTable, EngineTableFile
from .registry import Engine, Registry
from .returning import Returning


@dataclass(slots=True)
class Restorable:
    """How a controller that is killed is started again."""

    #: Seconds that engines and clients wait.
    patience: float
    #: Where the engines are written down.
    file: EngineTableFile
    #: Those of the run before this one.
    table: EngineTable
    #: Seconds that tasks wait for these.
    wait: float


class Hub(Protocol):
    """What is needed of the hub."""

    registry: Registry
    returning: Returning
    log: logging.Logger

    def engine_coming(self, engine: Engine) -> None:
        """An engine will be ready when it can be reached."""

    def tell_scheduler(self, message: link.ToScheduler) -> None:
        """Send it."""

    def restore_tasks(self) -> None:
        """Have go on what is left of the tasks of the earlier run."""

    def tell_unknown(self, uuid: str, channel: str) -> None:
        """Tell a relay that an engine will not be reached."""


class Restoration:
    """See the module's text.

    Parameters
    ----------
    restorable : Restorable, optional
        Without it, nobody waits for anybody.
    """

    def __init__(self, hub: Hub, restorable: Restorable | None) -> None:
        self._hub = hub
        self._restorable = restorable
        self._loop = asyncio.get_running_loop()
        #: Whether tasks wait for engines.
        self._waiting = False
        #: What else waits until it is known which engines, and which tasks, are left.
        self._then: list[Callable[[], None]] = []
        #: Relays that hold requests for engines which may yet come.
        self._wanted: list[tuple[str, str]] = []

    @property
    def patience(self) -> float:
        """Seconds that engines and clients wait for this controller."""
        return self._restorable.patience if self._restorable else 0.0

    def begin(self) -> None:
        """Expect the engines of the earlier run."""
        if self._restorable is None:
            return
        hub, table = self._hub, self._restorable.table
        hub.registry.next_id = table.next_id
        hub.returning.expect(table.native)
        for uuid, engine_id in table.ids().items():
            if uuid not in hub.returning.expected:
                # a published engine knows of nothing; its heart goes on
                hub.engine_coming(hub.registry.register(uuid, engine_id))
        if hub.returning.expected:
            hub.log.info("Expecting %d engines back", len(hub.returning.expected))
        self._waiting = True
        hub.tell_scheduler(link.Restoring())
        self._loop.call_later(self._restorable.wait, self._end)
        self._loop.call_soon(self.check)

    def want(self, uuid: str, channel: str) -> None:
        """A relay wants to reach an engine that is not there."""
        if uuid in self._hub.returning.expected:
            self._wanted.append((uuid, channel))
        else:
            self._hub.tell_unknown(uuid, channel)

    def check(self) -> None:
        """Some engine has come, or is known to be dead."""
        self._refuse_wanted()
        if self._waiting and not self._hub.returning.expected and not self._hub.registry.coming:
            self._end()

    def _end(self) -> None:
        """Those that have not come by now are not waited for; they may come all the same."""
        if not self._waiting:
            return
        self._waiting = False
        expected = self._hub.returning.expected
        if expected:
            self._hub.log.warning(
                "Not waiting for %d engines that have not come back", len(expected)
            )
            expected.clear()
        self._refuse_wanted()
        self._hub.restore_tasks()
        waiting, self._then = self._then, []
        for then in waiting:
            then()

    def when_over(self, then: Callable[[], None]) -> None:
        """Call `then` when it is known which engines, and which tasks, are left."""
        if self._waiting:
            self._then.append(then)
        else:
            then()

    def _refuse_wanted(self) -> None:
        wanted, self._wanted = self._wanted, []
        for uuid, channel in wanted:
            # one that is coming will be greeted, and then gets what is held for it
            if uuid not in self._hub.registry:
                self.want(uuid, channel)

    # ---- the table

    def write(self) -> None:
        """Write down who is there; before anybody is told, who may count on it."""
        if self._restorable:
            self._restorable.file.write(self._hub.registry)

    def close(self) -> None:
        """The controller ends as it should: nobody is to come back."""
        if self._restorable:
            self._restorable.file.remove()
