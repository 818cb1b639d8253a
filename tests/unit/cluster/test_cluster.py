import asyncio
import json
import logging
import os
import signal
from pathlib import Path

import pytest
from traitlets import TraitError

from ipyparallel.cluster import cluster as cluster_module
from ipyparallel.cluster.cluster import Cluster
from ipyparallel.cluster.files import read_cluster_file


def in_file(cluster):
    return read_cluster_file(cluster.cluster_file)


def test_starting_and_stopping(new_cluster):
    cluster = new_cluster(cluster_id="x")
    assert cluster.start_cluster_sync() is cluster
    assert cluster.controller.running
    assert cluster.engine_set.n == 2
    assert in_file(cluster) == cluster.to_dict()
    assert "controller=<running>" in repr(cluster)
    cluster.stop_cluster_sync()
    assert cluster.controller is None
    assert cluster.engines == {}
    assert not Path(cluster.cluster_file).exists()
    assert repr(cluster) == "<Cluster(cluster_id='x', profile='default')>"


def test_the_cluster_file(new_cluster):
    cluster = new_cluster(cluster_id="x").start_cluster_sync()
    d = in_file(cluster)
    assert d["cluster"] == {
        "cluster_id": "x",
        "controller_args": [],
        "controller_ip": "",
        "controller_location": "",
        "delay": 0.0,
        "engine_restart": "never",
        "n": 2,
        "profile_dir": cluster.profile_dir,
        "resources": {},
        "class": "ipyparallel.cluster.cluster.Cluster",
    }
    assert d["controller"]["class"] == "fake_launchers.FakeController"
    assert d["engines"]["class"] == "fake_launchers.FakeEngines"
    assert list(d["engines"]["sets"]) == list(cluster.engines)


def test_without_a_cluster_file(new_cluster, profile):
    cluster = new_cluster(cluster_file="").start_cluster_sync()
    cluster.stop_cluster_sync()
    assert list((profile / "security").iterdir()) == []


def test_settings_reach_the_launchers(new_cluster):
    cluster = new_cluster(controller_ip="1.2.3.4", controller_location="me", controller_args=["-x"])
    cluster.start_controller_sync(work_dir="/")
    assert cluster.controller.controller_args == ["-x", "--ip=1.2.3.4", "--location=me"]
    assert cluster.controller.work_dir == "/"
    cluster.start_engines_sync(5, engine_set_id="mine", work_dir="/tmp")
    engines = cluster.engines["mine"]
    assert (engines.n, engines.work_dir) == (5, "/tmp")
    assert json.loads(engines.environment["IPP_CONNECTION_INFO"])["hb_ping"] == 2


def test_engines_need_not_get_the_connection_in_their_environment(new_cluster):
    cluster = new_cluster(send_engines_connection_env=False).start_cluster_sync()
    assert cluster.engine_set.environment == {}


def test_starting_the_controller_twice_is_an_error(new_cluster):
    cluster = new_cluster().start_cluster_sync()
    with pytest.raises(RuntimeError, match="already running"):
        cluster.start_controller_sync()


def test_a_failed_start_stops_what_was_started(new_cluster, fakes, monkeypatch):
    async def fails(self, n=1):
        raise OSError("no such queue")

    monkeypatch.setattr(fakes.FakeEngines, "start", fails)
    cluster = new_cluster()
    with pytest.raises(OSError, match="no such queue"):
        cluster.start_cluster_sync()
    assert cluster.controller is None
    assert not Path(cluster.cluster_file).exists()


def test_several_engine_sets(new_cluster):
    cluster = new_cluster().start_cluster_sync()
    first = next(iter(cluster.engines))
    second = cluster.start_engines_sync(n=3)
    assert first != second
    cluster.signal_engines_sync(signal.SIGINT, second)
    cluster.signal_engines_sync(signal.SIGUSR1)
    assert cluster.engines[first].signals == [signal.SIGUSR1]
    assert cluster.engines[second].signals == [signal.SIGINT, signal.SIGUSR1]
    cluster.stop_engines_sync(first)
    assert list(cluster.engines) == [second]
    old = cluster.engines[second]
    cluster.restart_engines_sync(second)
    assert cluster.engines[second] is not old
    assert cluster.engines[second].n == 3
    with pytest.raises(KeyError, match="No engine set '7'"):
        cluster.stop_engines_sync("7")


EACH = [{"gpu": 1}, {}, {"gpu": 2}]


def test_resources_go_to_the_engines_and_stay_with_them(new_cluster):
    cluster = new_cluster(resources="gpu=1 mem=0.5").start_cluster_sync()
    assert cluster.engine_set.resources == {"gpu": 1, "mem": 0.5}
    own = cluster.start_engines_sync(n=3, engine_set_id="own", resources=EACH)
    again = Cluster.from_file(cluster.cluster_file)
    assert again.to_dict() == cluster.to_dict()
    assert again.resources == {"gpu": 1, "mem": 0.5}
    assert again.engines[own].resources == EACH
    again.restart_engines_sync(own)
    assert again.engines[own].resources == EACH


def test_the_resources_of_each_say_how_many_engines(new_cluster):
    cluster = new_cluster(resources=EACH, n=None).start_cluster_sync()
    assert cluster.engine_set.n == 3
    with pytest.raises(ValueError, match=r"resources of 3 engines are given, .*there are to be 2"):
        new_cluster(resources=EACH, n=2, cluster_id="y").start_cluster_sync()


def test_whether_engines_are_started_again_goes_to_the_engines_and_stays_with_them(new_cluster):
    cluster = new_cluster(engine_restart="On-Failure").start_cluster_sync()
    assert cluster.engine_set.restart == "on-failure"
    own = cluster.start_engines_sync(n=1, restart="never")
    again = Cluster.from_file(cluster.cluster_file)
    assert again.to_dict() == cluster.to_dict()
    assert again.engine_restart == "on-failure"
    again.restart_engines_sync()
    assert [engines.restart for engines in again.engines.values()] == ["on-failure", "never"]
    assert again.engines[own].n == 1
    with pytest.raises(TraitError, match=r"never.*on-failure.*'always'"):
        new_cluster(engine_restart="always")


def test_sets_that_have_ended_are_started_again_unless_they_were_stopped(new_cluster):
    cluster = new_cluster().start_cluster_sync()
    (first,) = cluster.engines
    second = cluster.start_engines_sync(n=3)
    cluster.engines[first].end(1)
    cluster.stop_engines_sync(second)
    assert cluster.engines == {}
    cluster.restart_engines_sync()
    assert list(cluster.engines) == [first]
    assert cluster.ended_sets == {}
    with pytest.raises(KeyError, match="No engine set"):
        cluster.restart_engines_sync(second)


def test_wrong_resources_are_named(new_cluster):
    with pytest.raises(TraitError, match=r"Cluster\.resources: .*'x', of 'gpu', is not a number"):
        new_cluster(resources={"gpu": "x"})


def test_single_engines_are_not_for_the_cluster(new_cluster):
    cluster = new_cluster()
    for call in (cluster.stop_engine_sync, cluster.restart_engine_sync):
        with pytest.raises(NotImplementedError):
            call(0)
    with pytest.raises(NotImplementedError):
        cluster.signal_engine_sync(0, 2)


def test_what_ends_by_itself_leaves_the_cluster_and_its_file(new_cluster):
    cluster = new_cluster().start_cluster_sync()
    cluster.engine_set.end(1)
    assert cluster.engines == {}
    assert in_file(cluster)["engines"]["sets"] == {}
    cluster.controller.end(1)
    assert not Path(cluster.cluster_file).exists()


def test_a_cluster_can_be_found_again(new_cluster):
    cluster = new_cluster(cluster_id="x").start_cluster_sync()
    again = Cluster.from_file(profile_dir=cluster.profile_dir, cluster_id="x")
    assert again.to_dict() == cluster.to_dict()
    assert not again.shutdown_atexit
    assert Cluster.from_dict(cluster.to_dict(), n=7).n == 7
    assert Cluster.from_file(cluster.cluster_file).cluster_file == cluster.cluster_file


def test_what_is_gone_is_dropped(new_cluster, fakes, caplog):
    cluster = new_cluster().start_cluster_sync()
    fakes.FakeEngines.alive.discard(cluster.engine_set.identifier)
    with caplog.at_level(logging.WARNING):
        again = Cluster.from_file(cluster.cluster_file)
    assert again.controller is not None
    assert again.engines == {}
    assert "does not run any more" in caplog.text
    assert in_file(again) == again.to_dict()
    fakes.FakeEngines.alive.clear()
    assert Cluster.from_file(cluster.cluster_file).controller is None
    assert not Path(cluster.cluster_file).exists()


def test_the_file_of_a_successor_is_left_alone(new_cluster):
    old = new_cluster(cluster_id="").start_cluster_sync()
    watcher = Cluster.from_file(old.cluster_file)
    successor = new_cluster(cluster_id="", n=5).start_cluster_sync()
    watcher.controller.end(0)
    watcher.engine_set.end(0)
    old.controller.end(0)
    assert in_file(successor) == successor.to_dict()


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"class": "no.such.Class"}, "cannot be imported"),
        ({"class": "pathlib.Path"}, "not a class of clusters"),
        ({"n": "many"}, "does not describe a cluster"),
    ],
)
def test_a_wrong_dict_is_a_value_error(new_cluster, change, complaint):
    d = new_cluster().start_cluster_sync().to_dict()
    d["cluster"].update(change)
    with pytest.raises(ValueError, match=complaint):
        Cluster.from_dict(d)


def test_no_cluster_file(profile):
    with pytest.raises(FileNotFoundError, match=r"cluster-\.json"):
        Cluster.from_file()


@pytest.fixture
def clients(monkeypatch):
    """Clients that see as many engines as they ask for."""
    made = []

    class Client:
        def __init__(self, info, **kwargs):
            self.info, self.kwargs, self.closed, self.active = info, kwargs, False, False
            made.append(self)

        def wait_for_engines(self, n, timeout, block):
            self.waited_for = n

        def activate(self):
            self.active = True

        def close(self):
            self.closed = True

    from ipyparallel.client import client

    monkeypatch.setattr(client, "Client", Client)
    return made


def test_connecting(new_cluster, clients, fakes):
    cluster = new_cluster()
    client = cluster.start_and_connect_sync(activate=True)
    assert client.info == fakes.FakeController.info["client"]
    assert client.kwargs["cluster"] is cluster
    assert client.waited_for == 2
    assert client.active
    # it runs: it is not started again
    assert cluster.start_and_connect_sync() is not client


def test_as_a_context(new_cluster, clients):
    cluster = new_cluster()
    with cluster as client:
        assert cluster.controller is not None
    assert client.closed
    assert cluster.controller is None


def test_as_an_async_context(new_cluster, clients):
    async def main():
        async with new_cluster() as client:
            return client

    assert asyncio.run(main()).closed


def test_a_failed_connection_stops_what_was_started(new_cluster, clients, monkeypatch):
    async def fails(*args):
        raise TimeoutError("no engines")

    monkeypatch.setattr(cluster_module, "wait_until_registered", fails)
    cluster = new_cluster()
    with pytest.raises(TimeoutError):
        cluster.start_and_connect_sync()
    assert clients[0].closed
    assert cluster.controller is None


def test_a_forgotten_cluster_is_stopped(new_cluster, capsys):
    cluster = new_cluster(cluster_id="x", shutdown_atexit=True).start_cluster_sync()
    cluster.stop_if_forgotten()
    assert cluster.controller is None
    assert capsys.readouterr().err.startswith("Stopping cluster <Cluster(cluster_id='x'")
    cluster.stop_if_forgotten()
    assert capsys.readouterr().err == ""


def test_a_cluster_that_may_stay_or_is_anothers_is_not_stopped(new_cluster, monkeypatch):
    stays = new_cluster().start_cluster_sync()
    stays.stop_if_forgotten()
    assert stays.controller is not None
    anothers = new_cluster(shutdown_atexit=True).start_cluster_sync()
    with monkeypatch.context() as patch:
        patch.setattr(os, "getpid", lambda: -1)
        anothers.stop_if_forgotten()
    assert anothers.controller is not None
    anothers.stop_cluster_sync()
