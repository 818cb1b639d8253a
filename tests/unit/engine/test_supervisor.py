"""A supervisor forks another engine for one that it was ordered to replace, and for no other."""

from __future__ import annotations

import subprocess
import sys

#: In a process of its own, since it forks. Nobody listens at the port: the agent tells nobody.
#: The engine registers as 7 and waits; the one that replaces it says what it knows, and ends.
START = """
import logging, os, select, signal, sys
from ipyparallel.engine.orders import Replace
from ipyparallel.engine.supervisor import Supervisor
from ipyparallel.protocol.connection import EngineInfo

info = EngineInfo(
    key="k", interface="tcp://127.0.0.1", location="127.0.0.1", registration=9, control=9,
    mux=9, task=9, iopub=9, hb_ping=9, hb_pong=9,
)

def run(birth):
    place = birth.place
    if place.replaces:
        print(place.index, place.engine_id, place.replaces == uuid, flush=True)
        birth.registered(place.engine_id)
        return 0
    birth.registered(7)
    signal.pause()

logging.basicConfig(format="%(message)s", level=logging.INFO)
supervisor = Supervisor(info, run, logging.getLogger())
supervisor.start(1)
(child,) = supervisor._children.values()
uuid = child.uuid
select.select([child.status], [], [])
"""

END = """
supervisor.wait()
print("exit code", supervisor.exit_code)
"""

ORDER = "supervisor._orders.give(Replace(uuid, 'it was too slow'))\n"
KILL = "os.kill(child.pid, signal.SIGKILL)\n"


def run(script: str) -> tuple[list[str], str]:
    """What a supervisor that goes through this prints, and its log."""
    done = subprocess.run(
        [sys.executable, "-c", START + script + END], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines(), done.stderr


def test_an_engine_is_replaced_by_order() -> None:
    said, log = run(ORDER + KILL)
    assert said == ["0 7 True", "exit code 0"]
    assert "is gone: it was too slow\nStarting another" in log


def test_without_an_order_it_is_not() -> None:
    said, log = run(KILL)
    assert said == ["exit code 137"]
    assert "is gone: killed by SIGKILL" in log


def test_an_order_for_another_changes_nothing() -> None:
    said, _ = run(ORDER.replace("uuid", "'another'") + KILL)
    assert said == ["exit code 137"]


def test_one_that_died_of_something_else_just_before_is_replaced_and_that_is_told() -> None:
    said, log = run(ORDER + KILL.replace("SIGKILL", "SIGSEGV"))
    assert said == ["0 7 True", "exit code 0"]
    assert "is gone: killed by SIGSEGV\nStarting another" in log


def test_an_order_of_an_agent_that_died_before_it_killed_is_carried_out() -> None:
    said, log = run(ORDER + "os.kill(supervisor._agent.pid, signal.SIGKILL)\n")
    assert said == ["0 7 True", "exit code 0"]
    assert "is gone: it was too slow\nStarting another" in log


def test_one_that_is_stopped_while_it_starts_has_not_failed() -> None:
    said, log = run("os.kill(os.getpid(), signal.SIGTERM)\n")
    assert said == ["exit code 0"]
    assert "is gone: killed by SIGTERM" in log


def test_a_supervisor_that_stops_replaces_nobody() -> None:
    said, log = run(ORDER + KILL + "os.kill(os.getpid(), signal.SIGTERM)\n")
    assert said == ["exit code 0"]
    assert "is gone: it was too slow" in log
    assert "Starting another" not in log
