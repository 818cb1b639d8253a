"""How a process ended, and what is known of it, in words."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from ipyparallel.engine.deaths import describe_exit, with_last_lines


@pytest.mark.parametrize(
    ("code", "text"),
    [
        (0, "exited with code 0"),
        (7, "exited with code 7"),
        (-signal.SIGKILL, "killed by SIGKILL"),
        (-signal.SIGSEGV, "killed by SIGSEGV (segmentation fault)"),
        (-signal.SIGABRT, "killed by SIGABRT (aborted)"),
        (-signal.SIGTERM, "killed by SIGTERM"),
    ],
)
def test_the_end_of_a_process(code: int, text: str) -> None:
    assert describe_exit(code) == text


def test_lines_of_the_log_are_set_off() -> None:
    assert with_last_lines("killed", "") == "killed"
    assert with_last_lines("killed", "a\n  b") == "killed; the last lines of its log:\n  a\n    b"


#: Two engines, one of which writes something and dies before the other.
SCRIPT = """
import os, signal
from ipyparallel.engine.deaths import Witness

def child(text, number):
    began = witness.born()
    pid = os.fork()
    if pid == 0:
        os.write(2, text)
        if number:
            os.kill(os.getpid(), number)
        os._exit(0)
    return pid, began

def end(pid, began):
    _, status, usage = os.wait4(pid, 0)
    death = witness.died(pid, status, usage, began)
    print(death.code, death.reason, repr(death.last_lines), flush=True)
    witness.told()

witness = Witness()
os.write(2, b"before\\n")
end(*child(b"the first\\n", signal.SIGUSR1))
end(*child(b"the second\\n", signal.SIGUSR1))
end(*child(b"", signal.SIGUSR1))
end(*child(b"it went well\\n", 0))
"""


def test_each_death_is_told_with_what_was_written_since_the_last(tmp_path: Path) -> None:
    with (tmp_path / "log").open("ab") as log:
        done = subprocess.run(
            [sys.executable, "-c", SCRIPT], stdout=subprocess.PIPE, stderr=log, timeout=60
        )
    number = int(signal.SIGUSR1)
    assert done.stdout.decode().splitlines() == [
        f"-{number} killed by SIGUSR1 'the first'",
        f"-{number} killed by SIGUSR1 'the second'",
        f"-{number} killed by SIGUSR1 ''",
        "0 exited with code 0 ''",
    ], (tmp_path / "log").read_text()
    assert os.path.getsize(tmp_path / "log") > 0
