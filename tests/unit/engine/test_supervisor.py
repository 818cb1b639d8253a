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
    assert "is gone: killed by SIGSEGV (segmentation fault)\nStarting another" in log


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


#: An engine that dies: a policy is put in, and what it does is chosen by how many died before.
FAILING = """
from ipyparallel.engine.restarts import RestartPolicy
supervisor._policy = RestartPolicy("on-failure", limit={limit}, delay={delay})

def run(birth):
    place = birth.place
    print(place.deaths, place.engine_id, birth.delay, flush=True)
    birth.registered(place.engine_id)
    os.kill(os.getpid(), signal.SIGSEGV)

supervisor._run = run
"""


def failing(limit: int = 2, delay: float = 0.01) -> str:
    return FAILING.format(limit=limit, delay=delay)


def test_one_that_fails_is_started_again_with_its_id_until_that_was_done_too_often() -> None:
    said, log = run(failing() + KILL)
    assert said == ["1 7 0.0", "2 7 0.01", "exit code 139"]
    lines = [line for line in log.splitlines() if "Engine 7" in line or "Starting" in line]
    assert [line.partition(") is gone: ")[2] or line for line in lines] == [
        "killed by SIGKILL",
        "Starting another engine in its place",
        "killed by SIGSEGV (segmentation fault)",
        "Starting another engine in its place in 0.01 s",
        "killed by SIGSEGV (segmentation fault); it is not started again, as it has died 3 times"
        " in a row",
    ]


def test_a_long_life_makes_up_for_deaths() -> None:
    early = "child.place = dataclasses.replace(child.place, deaths=1)\n"
    imports = "import dataclasses\nfrom ipyparallel.engine.deaths import Beginning\n"
    said, _ = run(imports + failing(limit=1) + early + KILL)
    assert said == ["exit code 137"]
    aged = early + "child.began = Beginning(0, -1e6)\n"
    said, _ = run(imports + failing(limit=1) + aged + KILL)
    assert said == ["1 7 0.0", "exit code 139"]


DISMISS = "from ipyparallel.engine.orders import Dismiss\nsupervisor._orders.give(Dismiss(uuid))\n"


def test_one_that_was_told_to_end_has_not_failed_however_it_ends() -> None:
    said, log = run(failing() + DISMISS + KILL)
    assert said == ["exit code 0"]
    assert "is gone: killed by SIGKILL" in log
    assert "Starting another" not in log


def test_one_that_ends_well_is_not_started_again() -> None:
    # what replaces it by order ends with code 0
    said, log = run(failing().replace("os.kill(os.getpid(), signal.SIGSEGV)", "return 0") + KILL)
    assert said == ["1 7 0.0", "exit code 0"]
    assert log.count("Starting another") == 1


#: Stops the supervisor as soon as the second engine that is started again is there.
STOP_AT_SECOND = """
tell, births = supervisor._agent.tell, []

def told(message):
    tell(message)
    births.extend([message] if isinstance(message, Born) else [])
    if len(births) == 2:
        os.kill(os.getpid(), signal.SIGTERM)

supervisor._agent.tell = told
"""


def test_a_supervisor_that_stops_does_not_wait_for_one_that_is_to_begin_later() -> None:
    stop = "from ipyparallel.engine.agent import Born\n" + STOP_AT_SECOND
    said, log = run(failing(delay=1000) + stop + KILL)
    assert said == ["1 7 0.0", "exit code 0"]
    assert "in its place in 30 s" in log


def test_all_are_restarted_and_those_that_are_gone_too() -> None:
    script = """
supervisor._fork(Place(1))
def run(birth):
    place = birth.place
    os.write(1, f"{place.index} {place.engine_id} {place.deaths}\\n".encode())
    return 0

(_, other) = supervisor._children.values()
select.select([other.status], [], [])
os.kill(other.pid, signal.SIGKILL)
pid, status, usage = os.wait4(other.pid, 0)
supervisor._on_death(supervisor._children.pop(pid), status, usage)
supervisor._run = run
os.kill(os.getpid(), RESTART_SIGNAL)
"""
    imports = (
        "from ipyparallel.engine.restarts import RESTART_SIGNAL\n"
        "from ipyparallel.engine.supervisor import Place\n"
    )
    said, log = run(imports + script)
    assert sorted(said) == ["0 7 0", "1 7 0", "exit code 137"]
    assert "is gone: it was restarted" in log


def test_a_child_that_waits_ends_with_its_supervisor() -> None:
    script = """
from ipyparallel.engine.supervisor import Birth, Place
read_end, write_end = os.pipe()
birth = Birth("x", Place(0), read_end, -1, 1000.0)
os.close(write_end)
print(birth.wait(), Birth("x", Place(0), os.pipe()[0], -1, 0.0).wait())
"""
    said, _ = run(script + KILL)
    assert said == ["False True", "exit code 137"]
