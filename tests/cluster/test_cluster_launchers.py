"""Local launchers and the processes they start, which here are small scripts."""

import json
import logging
import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from ipyparallel.cluster.launcher import (
    WINDOWS,
    LocalEngineSetLauncher,
    LocalProcessLauncher,
    NotRunning,
    ProcessStateError,
)
from ipyparallel.protocol.profiles import ensure_profile

pytestmark = pytest.mark.skipif(WINDOWS, reason="signals are POSIX's")

#: Tells the test through a fifo, when it is ready, its pid and that of a child it has started.
READY = """
import json, os, signal, subprocess, sys, time
def ready(child=0):
    with open(os.environ["FIFO"], "w") as f:
        json.dump([os.getpid(), child], f)
def child(code):
    return subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
"""
SLEEP = "import time; time.sleep(1000)"
#: Says so on its standard output when it cannot be terminated any more.
STUBBORN = (
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN);"
    "print(flush=True); time.sleep(1000)"
)


class Script(LocalProcessLauncher):
    """Runs a Python script that belongs to ipyparallel, as its command line says."""

    name = "script"
    code = ""

    def find_args(self):
        return [sys.executable, "-c", f"# ipyparallel\n{READY}{self.code}"]


@pytest.fixture
def fifo(tmp_path):
    path = tmp_path / "fifo"
    os.mkfifo(path)
    return path


@pytest.fixture
def script(tmp_path, fifo):
    """Makes launchers of scripts, and sees to it that nothing is left."""
    launchers = []
    profile = ensure_profile(tmp_path / "profile_x")

    def make(code, **kwargs):
        launcher = Script(
            profile_dir=str(profile), environment={"FIFO": str(fifo)}, cluster_id="c", **kwargs
        )
        launcher.code = code
        launchers.append(launcher)
        return launcher

    yield make
    for launcher in launchers:
        launcher.stop_seconds_until_kill = 0
        launcher.stop_sync()


def gone(pid):
    """Wait until there is no such process."""
    try:
        process = psutil.Process(pid)
        if process.status() != psutil.STATUS_ZOMBIE:
            process.wait(timeout=20)
    except psutil.NoSuchProcess:
        pass
    return True


def test_the_end_of_a_process(script):
    launcher = script("print('said', os.environ['IPP_CLUSTER_ID'], os.getsid(0) == os.getpid())")
    told = []
    launcher.on_stop(told.append)
    launcher.start_sync()
    data = launcher.join_sync(timeout=30)
    assert data == {"exit_code": 0, "pid": launcher.pid, "identifier": launcher.identifier}
    assert told == [data]
    assert launcher.poll() == 0
    assert launcher.get_output() == "said c True\n"
    with pytest.raises(ProcessStateError):
        launcher.start_sync()
    assert launcher.get_output(remove=True)
    assert launcher.get_output() == ""


def test_what_fails_is_quoted_and_its_log_is_kept(script, caplog):
    caplog.set_level(logging.WARNING)
    launcher = script("sys.exit('cannot go on')")
    launcher.log = logging.getLogger("test")
    launcher.start_sync()
    assert launcher.join_sync(timeout=30)["exit_code"] == 1
    assert "failed with exit code 1" in caplog.text
    assert "cannot go on" in caplog.text
    assert "cannot go on" in Path(launcher.output_file).read_text()


def test_a_command_that_does_not_exist(script):
    launcher = script("")
    launcher.find_args = lambda: ["/no/such/command"]
    with pytest.raises(FileNotFoundError, match="no/such/command"):
        launcher.start_sync()
    assert launcher.state == "before"


def test_stopping_asks_first(script, fifo):
    launcher = script(
        "signal.signal(signal.SIGTERM, lambda *a: sys.exit(7)); ready(); time.sleep(1000)"
    )
    launcher.start_sync()
    fifo.read_text()
    assert launcher.stop_sync()["exit_code"] == 7
    assert launcher.stop_sync()["exit_code"] == 7


def test_a_stubborn_process_is_killed_with_all_it_started(script, fifo):
    launcher = script(
        f"signal.signal(signal.SIGTERM, signal.SIG_IGN); c = child({STUBBORN!r});"
        "c.stdout.readline(); ready(c.pid); time.sleep(1000)",
        stop_seconds_until_kill=0.05,
    )
    launcher.start_sync()
    _, child = json.loads(fifo.read_text())
    assert launcher.stop_sync()["exit_code"] == -signal.SIGKILL
    assert gone(child)


@pytest.mark.parametrize("end", ["os._exit(3)", "os.kill(os.getpid(), signal.SIGKILL)"])
def test_what_dies_leaves_no_orphan(script, fifo, end):
    launcher = script(f"c = child({STUBBORN!r}); c.stdout.readline(); ready(c.pid); {end}")
    launcher.start_sync()
    _, child = json.loads(fifo.read_text())
    launcher.join_sync(timeout=30)
    assert gone(child)


def test_signals(script, fifo):
    launcher = script(
        "signal.signal(signal.SIGUSR1, lambda *a: sys.exit(9)); ready(); time.sleep(1000)"
    )
    launcher.start_sync()
    fifo.read_text()
    launcher.signal_sync(signal.SIGUSR1)
    assert launcher.join_sync(timeout=30)["exit_code"] == 9
    launcher.signal_sync(signal.SIGUSR1)


def test_an_interrupt_goes_to_the_engines_and_not_to_their_supervisor(tmp_path, fifo):
    interrupted = (
        "import sys, time\n"
        "try:\n"
        "    print(flush=True)\n"
        "    time.sleep(1000)\n"
        "except KeyboardInterrupt: sys.exit(8)\n"
    )
    code = (
        f"# ipyparallel\n{READY}\nc = child({interrupted!r}); c.stdout.readline(); ready(c.pid);"
        "sys.exit(c.wait())"
    )
    launcher = LocalEngineSetLauncher(
        profile_dir=str(ensure_profile(tmp_path / "profile_x")),
        engine_cmd=[sys.executable, "-c", code],
        environment={"FIFO": str(fifo)},
    )
    launcher.start_sync(2)
    assert launcher.n == 2
    fifo.read_text()
    launcher.signal_sync(signal.SIGINT)
    assert launcher.join_sync(timeout=30)["exit_code"] == 8


def test_a_process_is_found_again_by_its_pid(script, fifo):
    launcher = script("ready(); time.sleep(1000)")
    launcher.start_sync()
    fifo.read_text()
    again = Script.from_dict(json.loads(json.dumps(launcher.to_dict())))
    assert again.running
    assert again.to_dict() == launcher.to_dict()
    again.stop_sync()
    assert again.stop_data["exit_code"] == -signal.SIGTERM
    assert launcher.join_sync(timeout=30) == again.stop_data
    with pytest.raises(NotRunning):
        Script.from_dict(launcher.to_dict())


def test_a_process_of_another_one_is_found_and_stopped(script, tmp_path):
    launcher = script("")
    with subprocess.Popen(
        [sys.executable, "-c", f"# ipyparallel\n{SLEEP}"], start_new_session=True
    ) as process:
        launcher.pid = process.pid
        code = (
            "import json, sys; from ipyparallel.cluster.launcher import LocalProcessLauncher as L;"
            "again = L.from_dict(json.loads(sys.argv[1])); again.stop_sync();"
            "print(json.dumps(again.stop_data))"
        )
        state = json.dumps(launcher.to_dict())
        # it is no child of the process that stops it; it has to be reaped here
        stopper = subprocess.Popen([sys.executable, "-c", code, state], stdout=subprocess.PIPE)
        assert process.wait(timeout=30) == -signal.SIGTERM
        out, _ = stopper.communicate(timeout=30)
    data = json.loads(out)
    assert data["exit_code"] is None
    assert data["pid"] == process.pid


@pytest.mark.parametrize("pid", [-1, 0, 2**22 - 1])
def test_no_such_process(script, pid):
    with pytest.raises(NotRunning):
        Script.from_dict({**script("").to_dict(), "pid": pid})


def test_a_number_that_was_used_again_is_not_taken_for_ours(script, fifo):
    # neither its command line nor its environment speak of us
    with subprocess.Popen([sys.executable, "-c", SLEEP], cwd="/") as stranger:
        with pytest.raises(NotRunning, match=str(stranger.pid)):
            Script.from_dict({**script("").to_dict(), "pid": stranger.pid})
        assert stranger.poll() is None
        stranger.kill()
