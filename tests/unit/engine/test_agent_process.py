"""An agent that dies while its supervisor waits for it to end is started again."""

from __future__ import annotations

import subprocess
import sys

#: In a process of its own, since it forks. Nobody listens at the port: the agent ends at once.
KILLED_AT_THE_END = """
import logging, os, signal
from ipyparallel.engine.agent import Died
from ipyparallel.engine.agent_process import AgentProcess
from ipyparallel.engine.orders import Orders
from ipyparallel.protocol.connection import EngineInfo

info = EngineInfo(
    key="k", interface="tcp://127.0.0.1", location="127.0.0.1", registration=9, control=9,
    mux=9, task=9, iopub=9, hb_ping=9, hb_pong=9,
)
agent = AgentProcess(info, Orders(), lambda: [agent.pipe], logging.getLogger())
agent.start()
first = agent.pid
agent.tell(Died("uuid", 0, "it was killed"))
os.kill(first, signal.SIGKILL)
agent.finish()
assert agent.pid != first
agent.finish()
try:
    os.waitpid(-1, 0)
except ChildProcessError:
    print("all have ended")
"""


def test_what_it_had_to_tell_is_told_by_another() -> None:
    done = subprocess.run(
        [sys.executable, "-c", KILLED_AT_THE_END], capture_output=True, text=True, timeout=60
    )
    assert done.stdout == "all have ended\n", done.stderr
    assert "starting another" in done.stderr
