"""Clusters of real processes, from start to stop."""

import asyncio
import gc
import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

import ipyparallel.client.client
from ipyparallel.cluster import Cluster, ClusterManager

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="not yet on Windows")


@pytest.fixture
def new_cluster(tmp_path, monkeypatch):
    """Makes clusters in a profile folder of their own, and stops them."""
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    clusters = []

    def make(**kwargs):
        clusters.append(Cluster(**{"n": 2, "engine_timeout": 30, **kwargs}))
        return clusters[-1]

    yield make
    for cluster in clusters:
        cluster.stop_cluster_sync()


def processes(cluster):
    """All processes of a cluster."""
    launchers = [cluster.controller, *cluster.engines.values()]
    leaders = [psutil.Process(launcher.pid) for launcher in launchers if launcher is not None]
    return [*leaders, *(child for leader in leaders for child in leader.children(recursive=True))]


def assert_gone(known):
    """Nothing is left; zombies are for whoever started them to reap."""
    _, alive = psutil.wait_procs(known, timeout=20)
    assert [p for p in alive if p.status() != psutil.STATUS_ZOMBIE] == []


def test_start_connect_and_stop(new_cluster):
    cluster = new_cluster()
    client = cluster.start_and_connect_sync()
    assert client.cluster is cluster
    assert client.ids == [0, 1]
    known = processes(cluster)
    assert len(known) >= 4
    info = cluster.controller.get_connection_info_sync()
    assert info["client"]["interface"].startswith("ipc://")
    client.close()
    cluster.stop_cluster_sync()
    assert_gone(known)
    security = Path(cluster.profile_dir) / "security"
    assert list(security.iterdir()) == []
    # the logs are kept
    assert len(list((security.parent / "log").iterdir())) == 2


def test_as_contexts(new_cluster):
    cluster = new_cluster(n=1)
    with cluster as client:
        assert client.ids == [0]
        known = processes(cluster)
    assert_gone(known)

    async def main():
        async with new_cluster(n=1) as client:
            return client.ids

    assert asyncio.run(main()) == [0]


def test_where_a_loop_runs_the_twins_work_too(new_cluster):
    async def main():
        with new_cluster(n=1) as client:
            return client.ids

    assert asyncio.run(main()) == [0]


def test_tcp_if_asked_for(new_cluster):
    cluster = new_cluster(n=1, controller_ip="127.0.0.1").start_cluster_sync()
    info = cluster.controller.get_connection_info_sync()
    assert info["client"]["interface"] == "tcp://127.0.0.1"


def test_engine_sets_come_and_go(new_cluster):
    cluster = new_cluster(n=1)
    client = cluster.start_and_connect_sync()
    second = cluster.start_engines_sync(2)
    client.wait_for_engines(3, timeout=30)
    cluster.stop_engines_sync(second)
    assert list(cluster.engines) != [second]
    cluster.restart_engines_sync()
    assert cluster.engine_set.n == 1
    client.close()


def test_a_controller_that_cannot_start_is_quoted(new_cluster):
    cluster = new_cluster(controller_args=["--ip=999.9"])
    with pytest.raises(RuntimeError, match=r"(?s)end of its output.*999\.9"):
        cluster.start_and_connect_sync()
    assert cluster.controller is None
    assert cluster.engines == {}
    assert not Path(cluster.cluster_file).exists()


def test_stale_and_broken_connection_files_do_not_matter(new_cluster):
    cluster = new_cluster(cluster_id="x", n=1)
    for kind, text in {"client": "", "engine": '{"interface": "tcp://127.0'}.items():
        (Path(cluster.profile_dir) / "security" / f"ipcontroller-x-{kind}.json").write_text(text)
    assert cluster.start_and_connect_sync().ids == [0]


def test_found_again_in_another_process_and_stopped_there(new_cluster):
    cluster = new_cluster(n=1)
    cluster.start_cluster_sync()
    known = processes(cluster)
    code = (
        "import sys; from ipyparallel.cluster import Cluster;"
        "c = Cluster.from_file(sys.argv[1]);"
        "print(len(c.connect_client_sync().wait_for_engines(1, timeout=30) or 'x'));"
        "c.stop_cluster_sync()"
    )
    subprocess.run([sys.executable, "-c", code, cluster.cluster_file], check=True, timeout=60)
    assert_gone(known)
    assert not Path(cluster.cluster_file).exists()


def test_a_killed_controller_is_noticed(new_cluster):
    cluster = new_cluster(n=1).start_cluster_sync()
    controller = cluster.controller
    os.kill(controller.pid, signal.SIGKILL)
    assert controller.join_sync(timeout=20)["exit_code"] == -signal.SIGKILL
    assert cluster.controller is None


def test_the_manager_finds_it(new_cluster):
    cluster = new_cluster(n=1, cluster_id="x").start_cluster_sync()
    manager = ClusterManager()
    assert list(manager.load_clusters()) == ["default:x"]
    cluster.stop_cluster_sync()
    found = manager.get_cluster("default:x")
    for launcher in [found.controller, *found.engines.values()]:
        if launcher is not None:
            launcher.join_sync(timeout=20)
    assert manager.load_clusters() == {}


def test_a_forgotten_cluster_is_stopped(tmp_path, capsys):
    cluster = Cluster(profile_dir=str(tmp_path / "p"), n=1).start_cluster_sync()
    known = processes(cluster)
    del cluster
    gc.collect()
    assert_gone(known)
    assert "Stopping cluster" in capsys.readouterr().err


def test_a_process_that_ends_stops_its_clusters(tmp_path):
    code = (
        "import sys; from ipyparallel.cluster import Cluster;"
        "c = Cluster(profile_dir=sys.argv[1], n=1).start_cluster_sync();"
        "print(c.controller.pid, c.engine_set.pid)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "p")],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert "Stopping cluster" in done.stderr
    for pid in map(int, done.stdout.split()):
        assert not psutil.pid_exists(pid)


def test_a_client_that_cannot_connect_leaves_nothing(new_cluster, monkeypatch):
    class NoClient:
        def __init__(self, *args, **kwargs):
            raise OSError("no way")

    monkeypatch.setattr(ipyparallel.client.client, "Client", NoClient)
    cluster = new_cluster(n=1)
    with pytest.raises(OSError, match="no way"):
        cluster.start_and_connect_sync()
    assert cluster.controller is None
    assert cluster.engines == {}
