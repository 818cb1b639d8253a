"""The supervisor: one process a host, which forks engines, watches them, and says why one died.

It imports all that an engine needs once; an engine then begins with a fork, which costs a
fraction of an import, and shares that memory. So that it can fork at any time, it has no threads,
no sockets and no event loop: it sleeps in ``waitpid``. What has to do with the network is done by
its `agent`, which it forks first. When an engine dies that the agent was asked to replace, or one
that is to be started again if it fails, another is forked for its place; see `orders` and
`restarts`. If that is to wait a while, it waits itself: the supervisor has no clock.
"""

from __future__ import annotations

import gc
import json
import logging
import os
import random
import select
import signal
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NoReturn

from ..protocol.connection import EngineInfo
from ..protocol.session import new_id
from .agent import Born, Died, Ended
from .agent_process import AgentProcess
from .deaths import Beginning, Death, Witness
from .faults import log_faults
from .forking import fork, handle_signals
from .orders import Dismiss, Orders
from .restarts import ON_FAILURE, RESTART_SIGNAL, RestartPolicy

if TYPE_CHECKING:
    import resource

#: Seconds that engines have to end when they are told to, before they are killed. Less than the
#: launcher gives the supervisor, which has to report them then.
STOP_TIMEOUT = 3

#: Exit code of an engine that the controller did not take in.
NOT_TAKEN_IN = 255


@dataclass(frozen=True)
class Place:
    """What stays the same when an engine is replaced, and what the next one has to know of it."""

    #: Which of the supervisor's engines it is, from 0.
    index: int
    #: The id that the engine before it had; None if there was none.
    engine_id: int | None = None
    #: Uuid of that engine.
    replaces: str = ""
    #: How many died here in a row.
    deaths: int = 0


@dataclass
class Child:
    """An engine as its supervisor sees it."""

    pid: int
    uuid: str
    place: Place
    #: Read end of a pipe on which the engine tells its id.
    status: int
    began: Beginning
    #: Seconds that it was to wait first.
    delay: float

    @property
    def life(self) -> float:
        """Seconds for which it has lived, without those."""
        return time.monotonic() - self.began.time - self.delay

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
    #: Seconds to wait before it begins.
    delay: float

    def wait(self) -> bool:
        """Wait until the engine is to begin; False if its supervisor has died meanwhile."""
        return not select.select([self.lifeline], [], [], self.delay)[0]

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
    policy : RestartPolicy, optional
        Which of those that die are started again; by default none.
    """

    def __init__(
        self,
        info: EngineInfo,
        run: Callable[[Birth], int],
        log: logging.Logger,
        policy: RestartPolicy | None = None,
    ) -> None:
        self._run = run
        self._policy = policy or RestartPolicy()
        self._witness = Witness()
        self._log = log
        self._children: dict[int, Child] = {}
        self._stopping = False
        #: Of the first engine that failed, and was not to be replaced; 0 as long as none has.
        self.exit_code = 0
        self._lifeline, self._lifeline_end = os.pipe()
        self._orders = Orders()
        #: Of engines that are to be replaced, by uuid: why.
        self._replacing: dict[str, str] = {}
        #: Of those that died and were not replaced: where they were.
        self._vacant: list[Place] = []
        self._fills_vacant = False
        #: Uuids of engines that were told to end.
        self._dismissed: set[str] = set()
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
                RESTART_SIGNAL: self._on_restart,
            }
        )
        self._agent.start()
        for index in range(n):
            if not self._stopping:
                self._fork(Place(index))

    def wait(self) -> None:
        """Watch the engines until none is left, and all deaths have been reported."""
        while self._children:
            pid, status, usage = os.wait4(-1, 0)
            self._take_orders()
            child = self._children.pop(pid, None)
            if child is not None:
                self._on_death(child, status, usage)
            elif pid == self._agent.pid:
                self._agent.ended()
                self._finish_orders()
        self._agent.finish()

    # ---- orders

    def _take_orders(self) -> None:
        living = {child.uuid for child in self._children.values()}
        for order in self._orders.take():
            if order.uuid not in living:
                continue
            if isinstance(order, Dismiss):
                self._dismissed.add(order.uuid)
            else:
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

    def _on_restart(self, number: int, frame: object) -> None:
        if not self._stopping:
            self._log.info("Restarting all engines")
            self._replacing.update((c.uuid, "it was restarted") for c in self._children.values())
            # not here, in the middle of whatever was interrupted
            self._fills_vacant = True
            self._kill(signal.SIGKILL)

    def _kill(self, number: int) -> None:
        for pid in list(self._children):
            # it may have been waited for just now, and not been taken out yet
            with suppress(ProcessLookupError):
                os.kill(pid, number)

    # ---- birth and death

    def _fork(self, place: Place, delay: float = 0.0) -> None:
        uuid = new_id()
        began = self._witness.born()
        status, status_end = os.pipe()
        os.set_blocking(status, False)
        pid = fork([*self._descriptors(), *self._orders.ends, status])
        if pid == 0:
            self._become_engine(Birth(uuid, place, self._lifeline, status_end, delay))
        os.close(status_end)
        self._children[pid] = Child(pid, uuid, place, status, began, delay)
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
            log_faults()
            if birth.wait():
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

    def _on_death(self, child: Child, status: int, usage: resource.struct_rusage) -> None:
        engine_id = child.read_id()
        os.close(child.status)
        death = self._witness.died(child.pid, status, usage, child.began)
        why_replaced = self._replacing.pop(child.uuid, None)
        is_dismissed = child.uuid in self._dismissed
        self._dismissed.discard(child.uuid)
        name = f"Engine {engine_id}" if engine_id is not None else "An engine that was starting"
        code = death.code
        if self._stopping and code == 0:
            self._log.debug("%s has stopped", name)
            self._agent.tell(Ended(child.uuid))
            return
        # one that was still starting dies of what it is told
        obeyed = self._stopping and code == -signal.SIGTERM
        is_failure = code != 0 and not obeyed and not is_dismissed and why_replaced is None
        if why_replaced is not None and code == -signal.SIGKILL:
            # and it did not die of something else just before
            death = Death(code, why_replaced)
        place = replace(child.place, replaces=child.uuid)
        if engine_id is not None:
            place = replace(place, engine_id=engine_id)
        again = why_replaced is not None
        if is_failure:
            place = replace(place, deaths=self._policy.count(place.deaths, child.life))
            again = self._may_try_again(place, code)
            if not again and self._policy.when == ON_FAILURE and not self._stopping:
                why_not = f"it is not started again, as it has died {place.deaths} times in a row"
                death = replace(death, reason=f"{death.reason}; {why_not}")
        again = again and not self._stopping
        if is_failure and not again:
            self.exit_code = self.exit_code or (code if code >= 0 else 128 - code)
        level = logging.INFO if code == 0 or obeyed else logging.ERROR
        self._log.log(level, "%s (pid %d) is gone: %s", name, child.pid, death.reason)
        self._witness.told()
        self._agent.tell(Died(child.uuid, engine_id, death.reason, death.last_lines))
        if again:
            self._start_again(place, self._policy.delay_after(place.deaths) if is_failure else 0.0)
        else:
            self._vacant.append(place)
        if self._fills_vacant and not self._stopping:
            self._fills_vacant = False
            vacant, self._vacant = self._vacant, []
            for place in vacant:
                self._start_again(replace(place, deaths=0))

    def _may_try_again(self, place: Place, code: int) -> bool:
        """Whether to start another engine for one that has failed."""
        if code == NOT_TAKEN_IN and place.engine_id is None:
            return False  # the first one did not find its way: nor will others
        return self._policy.allows(place.deaths)

    def _start_again(self, place: Place, delay: float = 0.0) -> None:
        when = f" in {delay:g} s" if delay else ""
        self._log.info("Starting another engine in its place%s", when)
        try:
            self._fork(place, delay)
        except OSError as e:
            self._log.error("No other engine can be started in its place: %s", e)


def _reseed() -> None:
    """Engines must not all draw the same random numbers; Python's own generator sees to itself."""
    numpy_random = sys.modules.get("numpy.random")
    if numpy_random is not None:
        numpy_random.seed(random.getrandbits(32))
