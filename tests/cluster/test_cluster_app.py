"""``ipcluster`` as one types it."""

import json
import os
import signal
import subprocess
import sys

import psutil
import pytest

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="not yet on Windows")

COMMAND = [sys.executable, "-m", "ipyparallel.cluster"]


@pytest.fixture
def env(tmp_path):
    return {**os.environ, "IPYTHONDIR": str(tmp_path / "ipython")}


@pytest.fixture
def ipcluster(env):
    """Runs a command to its end."""

    def run(*args, **options):
        return subprocess.run(
            [*COMMAND, *args], env=env, capture_output=True, text=True, timeout=60, **options
        )

    yield run
    run("stop", "--all")


@pytest.fixture
def foreground(env):
    """Starts a command, and waits until it says something."""
    processes = []

    def start(*args, until):
        process = subprocess.Popen([*COMMAND, *args], env=env, stderr=subprocess.PIPE, text=True)
        processes.append(process)
        for line in process.stderr:
            if until in line:
                return process
        raise AssertionError(f"it ended, with {process.wait()}, and did not say {until!r}")

    yield start
    for process in processes:
        process.terminate()
        process.communicate(timeout=30)


def listed(ipcluster):
    return json.loads(ipcluster("list", "-o", "json").stdout)


def pids(clusters):
    return [
        launcher["pid"]
        for cluster in clusters
        for launcher in [cluster["controller"]["state"], *cluster["engines"]["sets"].values()]
    ]


def test_in_the_background(ipcluster):
    started = ipcluster("start", "-n", "2", "--daemonize")
    assert started.returncode == 0, started.stderr
    assert started.stdout.startswith("Leaving cluster running: ")
    assert "2 engines are ready" in started.stderr
    assert "Connect with: ipyparallel.Client()" in started.stderr
    assert ipcluster("start", "-n", "2").returncode == 10
    running = listed(ipcluster)
    assert [cluster["cluster"]["cluster_id"] for cluster in running] == [""]
    stopped = ipcluster("stop")
    assert stopped.returncode == 0
    assert not any(map(alive, pids(running)))
    assert listed(ipcluster) == []
    assert ipcluster("stop").returncode == 11


def alive(pid):
    """Whether there is such a process; a zombie only waits for its parent."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_in_the_foreground(ipcluster, foreground, number):
    process = foreground("start", "-n", "1", "--cluster-id=x", until="Stop the cluster with")
    running = listed(ipcluster)
    process.send_signal(number)
    _, text = process.communicate(timeout=30)
    assert process.returncode == 0, text
    assert not any(map(alive, pids(running)))
    assert listed(ipcluster) == []


def test_in_the_foreground_and_stopped_from_elsewhere(ipcluster, foreground):
    process = foreground("start", "-n", "1", until="Stop the cluster with")
    assert ipcluster("stop").returncode == 0
    _, text = process.communicate(timeout=30)
    assert process.returncode == 0, text


def test_a_dead_controller_ends_it(ipcluster, foreground):
    process = foreground("start", "-n", "1", until="Stop the cluster with")
    controller, engines = pids(listed(ipcluster))
    os.kill(controller, signal.SIGKILL)
    process.communicate(timeout=30)
    assert process.returncode == 1
    assert not alive(engines)


@pytest.mark.parametrize("more", [[], ["--daemonize"]])
def test_a_controller_that_cannot_start_is_quoted(ipcluster, more):
    failed = ipcluster("start", "-n", "1", *more, "--", "--ip=999.9")
    assert failed.returncode == 1
    assert "999.9" in failed.stderr
    assert listed(ipcluster) == []


@pytest.mark.parametrize("more", [[], ["--daemonize"]])
def test_engines_that_cannot_start_are_quoted(ipcluster, more):
    bad = "--LocalEngineSetLauncher.engine_cmd=['" + sys.executable + "', '-c', '1/0']"
    failed = ipcluster("start", "-n", "1", bad, *more)
    assert failed.returncode == 1
    assert "ZeroDivisionError" in failed.stderr
    assert listed(ipcluster) == []


def test_engines_alone(ipcluster, foreground):
    assert ipcluster("start", "-n", "1", "--daemonize").returncode == 0
    process = foreground("engines", "-n", "1", until="Starting 1 engines")
    process.send_signal(signal.SIGINT)
    _, text = process.communicate(timeout=30)
    assert process.returncode == 0, text
    assert len(listed(ipcluster)) == 1


def test_broken_files_do_not_block_a_start(ipcluster, env):
    assert ipcluster("start", "-n", "1", "--daemonize").returncode == 0
    assert ipcluster("stop").returncode == 0
    security = os.path.join(env["IPYTHONDIR"], "profile_default", "security")
    for name in ("cluster-.json", "ipcontroller-client.json", "ipcontroller-engine.json"):
        open(os.path.join(security, name), "w").close()
    started = ipcluster("start", "-n", "1", "--daemonize")
    assert started.returncode == 0, started.stderr
    assert "Assuming that the cluster is stopped" in started.stderr


KILL_ENGINE = """
import os, signal, sys
import ipyparallel as ipp

with ipp.Client() as client:
    client.wait_for_engines(int(sys.argv[1]), timeout=30)
    pid = client[0].apply_sync(os.getpid)
    died = client[0].apply_async(os.kill, pid, signal.SIGKILL)
    try:
        died.get(20)
    except ipp.EngineError as e:
        print(str(e).partition(": ")[2])
    client._messenger.engines.wait_for(lambda: 0 in client.ids, 20)
    print(client[0].apply_sync(os.getpid) != pid, len(client.ids))
"""


def kill_an_engine(env, n):
    """Kill engine 0; what was told of it, and whether another took its place."""
    command = [sys.executable, "-c", KILL_ENGINE, str(n)]
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_engines_that_die_are_started_again(ipcluster, foreground, env):
    process = foreground("start", "-n", "1", "--restart=on-failure", until="Stop the cluster with")
    (before,) = listed(ipcluster)
    assert before["cluster"]["engine_restart"] == "on-failure"
    # within the time in which the end of the engines would end everything
    assert kill_an_engine(env, 1) == ["killed by SIGKILL", "True 1"]
    assert listed(ipcluster) == [before]
    assert ipcluster("stop").returncode == 0
    _, text = process.communicate(timeout=30)
    assert process.returncode == 0, text


def test_engines_that_were_added_are_started_again(ipcluster, foreground, env):
    assert ipcluster("start", "-n", "1", "--restart=ON-FAILURE", "--daemonize").returncode == 0
    process = foreground("engines", "-n", "1", "--restart=on-failure", until="Starting 1 engines")
    assert kill_an_engine(env, 2) == ["killed by SIGKILL", "True 2"]
    assert process.poll() is None


def test_engines_that_die_too_often_soon_after_the_start_end_it(ipcluster, foreground):
    never_ready = "--EngineLauncher.engine_args=['-c', 'import os; os._exit(5)']"
    more = "--IPClusterStart.early_shutdown=60"
    failed = ipcluster("start", "-n", "1", "--restart=on-failure", never_ready, more)
    assert failed.returncode == 1
    assert "exited with code 5; it is not started again, as it has died 6 times" in failed.stderr


def test_what_is_not_a_way_to_restart_is_refused(ipcluster):
    failed = ipcluster("start", "-n", "1", "--restart=always")
    assert failed.returncode == 1
    assert "on-failure" in failed.stderr
    assert "Traceback" not in failed.stderr
    assert listed(ipcluster) == []
