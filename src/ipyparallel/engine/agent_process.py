"""The supervisor's end of its agent: starts it, tells it, starts it again if it dies."""

from __future__ import annotations

import gc
import logging
import os
from collections import deque
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import NoReturn

from ..protocol.connection import EngineInfo
from .agent import IGNORED, Agent, Born, Died, Ended, ToAgent, encode
from .forking import fork
from .orders import Orders

#: How often an agent that dies is started again at once, over the life of a supervisor; after that,
#: when there is a death to be reported.
_MAX_RESTARTS = 10

#: Deaths of which a new agent tells the hub once more, since the old one may not have done so.
#: The hub does not mind.
_KEPT_DEATHS = 100


class AgentProcess:
    """An agent, whatever happens to its process.

    Parameters
    ----------
    info : EngineInfo
        Where the controller is.
    orders : Orders
        What it may order.
    inherited : callable
        Returns the descriptors of the supervisor that the agent must not hold.
    """

    def __init__(
        self,
        info: EngineInfo,
        orders: Orders,
        inherited: Callable[[], Iterable[int]],
        log: logging.Logger,
    ) -> None:
        self._info = info
        self._orders = orders
        self._inherited = inherited
        self._log = log
        self._engines: dict[str, Born] = {}
        self._deaths: deque[Died] = deque(maxlen=_KEPT_DEATHS)
        self._restarts = 0
        self.pid = -1
        #: Write end of the pipe to the agent; -1 when there is none. No other process may hold it.
        self.pipe = -1

    def start(self) -> None:
        """Fork the agent."""
        read_end, self.pipe = os.pipe()
        self.pid = fork(self._inherited(), ignore=IGNORED)
        if self.pid == 0:
            self._become_agent(read_end)
        os.close(read_end)

    def _become_agent(self, pipe: int) -> NoReturn:
        code = 1
        try:
            # it makes no garbage worth a look at all the memory that it shares
            gc.disable()
            Agent(
                self._info,
                pipe,
                self._orders,
                self._log,
                engines=self._engines.values(),
                deaths=self._deaths,
            ).run()
            code = 0
        except Exception:  # noqa: BLE001  (this process ends here, whatever it was)
            self._log.exception("The agent failed")
        finally:
            # not sys.exit: this is still the supervisor's stack
            os._exit(code)

    def tell(self, message: ToAgent) -> None:
        """Tell the agent, now or when there is one again."""
        if isinstance(message, Born):
            self._engines[message.uuid] = message
        elif isinstance(message, Died | Ended):
            self._engines.pop(message.uuid, None)
            if isinstance(message, Died):
                self._deaths.append(message)
                # whatever became of the agents so far, this has to be told
                self._restarts = min(self._restarts, _MAX_RESTARTS - 1)
        if self.pipe >= 0:
            # if it is dead, `ended` will be called
            with suppress(BrokenPipeError):
                os.write(self.pipe, encode(message) + b"\n")
        elif isinstance(message, Died):
            self.ended()

    def ended(self) -> None:
        """Its process has ended, which it should not have: start another."""
        self._close()
        if self._restarts >= _MAX_RESTARTS:
            self._log.error("The agent died too often: another is started when an engine dies")
            return
        self._restarts += 1
        self._log.warning("The agent is gone; starting another")
        self.start()

    def finish(self) -> None:
        """Let it end, and wait until it has told everything."""
        while self.pipe >= 0:
            self._close()
            _, status = os.waitpid(self.pid, 0)
            if status != 0 and self._deaths:
                self.ended()

    def _close(self) -> None:
        """Close the pipe to it, unless that was done already."""
        if self.pipe >= 0:
            os.close(self.pipe)
            self.pipe = -1
