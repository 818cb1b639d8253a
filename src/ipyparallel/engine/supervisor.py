"""The supervisor: one process a host, which forks engines, watches them, and says why one died.

It imports all that an engine needs once; an engine then begins with a fork, which costs a
fraction of an import, and shares that memory. So that it can fork at any time, it has no threads,
no sockets and no event loop: it sleeps in ``waitpid``. What has to do with the network is done by
its `agent`, which it forks first. When an engine dies that the agent was asked to replace, another
is forked for its place; see `orders`.
"""

from __future__ import annotations

import gc
import json
import logging
import os
import random
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import NoReturn

from ..protocol.connection import EngineInfo
from ..protocol.session import new_id
from .agent import Born, Died, Ended
from .agent_process import AgentProcess
from .forking import fork, handle_signals
from .orders import Orders
from .signals import signal_name

#: Seconds that engines have to end when they are told to, before they are killed. Less than the
#: launcher gives the supervisor, which has to report them then.
STOP_TIMEOUT = 3


@dataclass(frozen=True)
class Place:
    """What stays the same when an engine is replaced, and what the next one has to know of it."""

    #: Which of the supervisor's engines it is, from 0.
    index: int
    #: The id that the engine before it had; None if there was none.
    engine_id: int | None = None
    #: Uuid of that engine.
    replaces: str = ""


@dataclass
class Child:
    """An engine as its supervisor sees it."""

    pid: int
    uuid: str
    place: Place
    #: Read end of a pipe on which the engine tells its id.
    status: int

    def read_id(self) -> int | None:
        """The id that the engine was given, if it got that far."""
        try:
            data = os.read(self.status, 1024)
        except BlockingIOError:
            return None
        # the last one, as an engine that comes back may have got another
        return int(json.loads(data.splitlines()[-1])["id"]) if data else None


@dataclass
class Birth:
    """What a new engine process gets from its supervisor."""

    uuid: str
    place: Place
    #: Readable when the supervisor has died.
    lifeline: int
    #: Write end of the pipe that tells the supervisor the engine's id.
    status: int

    def registered(self, engine_id: int) -> None:
        """Tell the supervisor the id."""
        os.write(self.status, json.dumps({"id": engine_id}).encode() + b"\n")


class Supervisor:
    """Forks engines and watches them.

    Parameters
    ----------
    info : EngineInfo
        Where to report deaths.
    run : callable
        Is an engine: called in each new process; what it returns is the exit code.
    """

    def __init__(self, info: EngineInfo, run: Callable[[Birth], int], log: logging.Logger) -> None:
        self._run = run
        self._log = log
        self._children: dict[int, Child] = {}
        self._stopping = False
        #: Of the first engine that failed, and was not to be replaced; 0 as long as none has.
        self.exit_code = 0
        self._lifeline, self._lifeline_end = os.pipe()
        self._orders = Orders()
        #: Of engines that are to be replaced, by uuid: why.
        self._replacing: dict[str, str] = {}
        self._agent = AgentProcess(info, self._orders, self._descriptors, log)

    def start(self, n: int) -> None:
        """Fork so many engines."""
        # what is there now lives in memory that all engines share, as long as nobody touches it
        gc.collect()
        gc.freeze()
        handle_signals(
            {
                signal.SIGTERM: self._on_stop,
                signal.SIGINT: self._on_stop,
                signal.SIGALRM: self._on_alarm,
                signal.SIGUSR1: self._on_forward,
                signal.SIGUSR2: self._on_forward,
            }
        )
        self._agent.start()
        for index in range(n):
            if not self._stopping:
                self._fork(Place(index))

    def wait(self) -> None:
        """Watch the engines until none is left, and all deaths have been reported."""
        while self._children:
            pid, status = os.waitpid(-1, 0)
            self._take_orders()
            child = self._children.pop(pid, None)
            if child is not None:
                self._on_death(child, status)
            elif pid == self._agent.pid:
                self._agent.ended()
                self._finish_orders()
        self._agent.finish()

    # ---- orders

    def _take_orders(self) -> None:
        living = {child.uuid for child in self._children.values()}
        for order in self._orders.take():
            if order.uuid in living:
                self._replacing[order.uuid] = order.reason

    def _finish_orders(self) -> None:
        """Kill whom an agent wanted to kill that died in between."""
        for pid, child in self._children.items():
            if child.uuid in self._replacing:
                # it may be dead, but was not waited for: the number is still its own
                os.kill(pid, signal.SIGKILL)

    # ---- signals, between two instructions of `wait`

    def _on_stop(self, number: int, frame: object) -> None:
        if not self._stopping:
            self._stopping = True
            self._log.info("Stopping %d engines", len(self._children))
            self._kill(signal.SIGTERM)
            signal.alarm(STOP_TIMEOUT)

    def _on_alarm(self, number: int, frame: object) -> None:
        self._log.warning("Killing %d engines that did not stop", len(self._children))
        self._kill(signal.SIGKILL)

    def _on_forward(self, number: int, frame: object) -> None:
        self._kill(number)

    def _kill(self, number: int) -> None:
        for pid in list(self._children):
            # it may have been waited for just now, and not been taken out yet
            with suppress(ProcessLookupError):
                os.kill(pid, number)

    # ---- birth and death

    def _fork(self, place: Place) -> None:
        uuid = new_id()
        status, status_end = os.pipe()
        os.set_blocking(status, False)
        pid = fork([*self._descriptors(), *self._orders.ends, status])
        if pid == 0:
            self._become_engine(Birth(uuid, place, self._lifeline, status_end))
        os.close(status_end)
        self._children[pid] = Child(pid, uuid, place, status)
        self._agent.tell(Born(uuid, pid))
        if self._stopping:
            # since a moment ago, when this one was not yet among those that were told
            os.kill(pid, signal.SIGTERM)

    def _descriptors(self) -> list[int]:
        """What no new child must hold."""
        pipes = [self._lifeline_end, *(child.status for child in self._children.values())]
        return [*pipes, self._agent.pipe] if self._agent.pipe >= 0 else pipes

    def _become_engine(self, birth: Birth) -> NoReturn:
        code = 1
        try:
            _reseed()
            code = self._run(birth)
        except KeyboardInterrupt:
            code = 128 + signal.SIGINT
        except Exception:  # noqa: BLE001  (this process ends here, whatever it was)
            self._log.exception("The engine failed")
        finally:
            logging.shutdown()
            for stream in (sys.__stdout__, sys.__stderr__):
                if stream is not None:
                    stream.flush()
            # not sys.exit: this is still the supervisor's stack
            os._exit(code)

    def _on_death(self, child: Child, status: int) -> None:
        engine_id = child.read_id()
        os.close(child.status)
        reason = describe_death(status)
        why_replaced = self._replacing.pop(child.uuid, None)
        name = f"Engine {engine_id}" if engine_id is not None else "An engine that was starting"
        code = os.waitstatus_to_exitcode(status)
        if self._stopping and code == 0:
            self._log.debug("%s has stopped", name)
            self._agent.tell(Ended(child.uuid))
            return
        # one that was still starting dies of what it is told
        obeyed = self._stopping and code == -signal.SIGTERM
        if why_replaced is None and not obeyed:
            self.exit_code = self.exit_code or (code if code >= 0 else 128 - code)
        if why_replaced is not None and code == -signal.SIGKILL:
            # and it did not die of something else just before
            reason = why_replaced
        level = logging.INFO if code == 0 or obeyed else logging.ERROR
        self._log.log(level, "%s (pid %d) is gone: %s", name, child.pid, reason)
        self._agent.tell(Died(child.uuid, engine_id, reason))
        if why_replaced is not None and not self._stopping:
            self._log.info("Starting another engine in its place")
            if engine_id is None:
                engine_id = child.place.engine_id
            self._fork(replace(child.place, engine_id=engine_id, replaces=child.uuid))


def describe_death(status: int) -> str:
    """How a process died, from the status that ``waitpid`` gave."""
    code = os.waitstatus_to_exitcode(status)
    if code >= 0:
        return f"exited with code {code}"
    return f"killed by {signal_name(-code)}"


def _reseed() -> None:
    """Engines must not all draw the same random numbers; Python's own generator sees to itself."""
    numpy_random = sys.modules.get("numpy.random")
    if numpy_random is not None:
        numpy_random.seed(random.getrandbits(32))
