"""The magics in a terminal: prompts, Ctrl-C, plain scripts."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pexpect
import pytest

from tests.support.ipython import ANSI, TIMEOUT
from tests.support.waiting import wait_for_file


class Terminal:
    """IPython in a terminal."""

    def __init__(self, folder: Path) -> None:
        environ = {**os.environ, "IPYTHONDIR": str(folder / "ipython"), "TERM": "dumb"}
        self.child = pexpect.spawn(
            sys.executable,
            ["-m", "IPython", "--simple-prompt", "--no-banner", "--colors=nocolor"],
            env=environ,
            encoding="utf8",
            timeout=TIMEOUT,
        )
        self.prompt()

    def prompt(self) -> str:
        """Wait for the prompt; what came before."""
        self.child.expect(r"In \[\d+\]: ")
        return ANSI.sub("", self.child.before).replace("\r\n", "\n")

    def run(self, line: str) -> str:
        """Run a line; what it showed."""
        self.child.sendline(line)
        return self.prompt().removeprefix(f"{line}\n")

    def begin(self, line: str) -> None:
        """Run a line, and wait until both engines have printed ``begun``."""
        self.child.sendline(line)
        for _ in range(2):
            self.child.expect(r"\[stdout:[01]\] \r\nbegun")


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Terminal]:
    terminal = Terminal(tmp_path)
    terminal.run("import ipyparallel as ipp, time")
    terminal.run(
        f"cluster = ipp.Cluster(n=2, profile_dir={str(tmp_path / 'profile')!r}, log_level=40)"
    )
    terminal.run("rc = cluster.start_and_connect_sync()")
    yield terminal
    terminal.run("rc.close(); cluster.stop_cluster_sync()")
    terminal.child.sendline("exit")
    terminal.child.expect(pexpect.EOF)
    terminal.child.close()


def test_ctrl_c_interrupts_the_engines(terminal: Terminal) -> None:
    terminal.begin("%px import time; print('begun', flush=True); time.sleep(60)")
    terminal.child.sendintr()
    out = terminal.prompt()
    assert "Received Keyboard Interrupt. Sending signal SIGINT to engines...\n" in out
    assert "[0:execute]\n" in out
    assert "[1:execute]\n" in out
    assert out.count("KeyboardInterrupt") >= 2
    assert "2 errors" in out
    assert terminal.run("%px print('free')").count("free") == 2


def test_a_second_ctrl_c_does_not_wait_for_engines(terminal: Terminal) -> None:
    terminal.run("%px import signal, time")
    terminal.begin(
        "%px signal.signal(signal.SIGINT, signal.SIG_IGN); print('begun', flush=True);"
        " time.sleep(60)"
    )
    terminal.child.sendintr()
    terminal.child.expect("to engines...")
    terminal.child.sendintr()
    assert "Engine(s) [0, 1] still run it." in terminal.prompt()
    assert "pending" in terminal.run("get_ipython().find_line_magic('px').__self__.last_result")
    terminal.run("rc.send_signal('SIGKILL', block=True)")


def test_without_a_signal_the_engines_go_on(terminal: Terminal, tmp_path: Path) -> None:
    terminal.run("%pxconfig --signal-on-interrupt 0")
    go = tmp_path / "go"
    terminal.begin(f"%px print('begun', flush=True); {wait_for_file(go)}")
    terminal.child.sendintr()
    terminal.child.expect("Received Keyboard Interrupt. Sending signal 0 to engines...\r\n")
    go.touch()
    assert "Traceback" not in terminal.prompt()
    assert terminal.run("%pxresult").count("begun") == 2


SCRIPT = """
import sys
import ipyparallel as ipp
with ipp.Cluster(n=2, profile_dir={profile!r}, log_level=40) as rc:
    ar = rc[:].execute("print('hi'); 5", silent=False, block=False)
    with ar.stream_output():
        ar.get()
    print("--")
    ar.display_outputs()
    print(repr(ar[0]))
    balanced = rc.load_balanced_view().apply_async(print, "balanced")
    with balanced.stream_output():
        balanced.wait()
assert "IPython" not in sys.modules
"""


def test_a_script_without_ipython(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(SCRIPT.format(profile=str(tmp_path / "profile")))
    done = subprocess.run(
        [sys.executable, str(script)], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    live, grouped = done.stdout.split("--\n")
    assert sorted(live.splitlines()) == sorted(
        ["[stdout:0] ", "hi", "Out[0:1]: 5", "[stdout:1] ", "hi", "Out[1:1]: 5"]
    )
    assert grouped.startswith(
        "[stdout:0] \nhi\n[stdout:1] \nhi\nOut[0:1]: 5\nOut[1:1]: 5\n<ExecuteReply[1]: 5>\n"
    )
    assert grouped.endswith(("[stdout:0] \nbalanced\n", "[stdout:1] \nbalanced\n"))
