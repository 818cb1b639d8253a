import asyncio
import json

import pytest

from ipyparallel.cluster import app
from ipyparallel.cluster.files import cluster_file
from ipyparallel.protocol.profiles import ensure_profile


@pytest.fixture
def run(profile, capsys):
    """Runs a command; returns its exit code and what it wrote to standard output."""

    def command(*args):
        app.IPCluster.clear_instance()
        ipcluster = app.IPCluster()
        exit_code = 0
        try:
            ipcluster.initialize(list(args))
            ipcluster.start()
        except SystemExit as e:
            exit_code = e.code
        finally:
            if ipcluster.subapp is not None:
                type(ipcluster.subapp).clear_instance()
        return exit_code, capsys.readouterr().out

    return command


def test_without_a_subcommand(run):
    exit_code, text = run()
    assert exit_code == 1
    for name in ("start", "stop", "list", "engines", "clean"):
        assert name in text


def test_the_command_line_of_old():
    ipcluster = app.IPCluster()
    ipcluster.initialize(["-n", "3", "--help-all"][:2])
    assert isinstance(ipcluster.subapp, app.IPClusterStart)
    assert ipcluster.subapp.config.Cluster.n == 3
    app.IPClusterStart.clear_instance()


def test_list(run, new_cluster, profile):
    new_cluster(cluster_id="").start_cluster_sync()
    other = profile.parent / "profile_other"
    x = new_cluster(cluster_id="x", n=3, profile_dir=str(other)).start_cluster_sync()
    exit_code, text = run("list")
    assert exit_code == 0
    assert text.splitlines() == [
        "PROFILE          CLUSTER ID                       RUNNING ENGINES LAUNCHER",
        "default          ''                               True    2       FakeEngines",
        "other            x                                True    3       FakeEngines",
    ]
    assert len(run("list", "--profile=other")[1].splitlines()) == 2
    assert json.loads(run("list", "-o", "json", "--profile=other")[1]) == [x.to_dict()]


def test_stop_what_is_not_there(run):
    assert run("stop")[0] == app.ALREADY_STOPPED
    assert run("stop", "--all")[0] == 0


def test_stop(run, new_cluster, fakes):
    for cluster_id in ("", "a", "b"):
        new_cluster(cluster_id=cluster_id).start_cluster_sync()
    assert run("stop", "a", "nonsense")[0] == app.ALREADY_STOPPED
    assert [line.split()[1] for line in run("list")[1].splitlines()[1:]] == ["''", "b"]
    assert run("stop")[0] == 0
    assert run("stop", "--all")[0] == 0
    assert fakes.FakeEngines.alive == set()


def test_stop_of_a_broken_file(run, profile):
    ensure_profile(profile)
    path = cluster_file(profile)
    path.touch()
    assert run("stop")[0] == app.ALREADY_STOPPED
    assert not path.exists()


def test_start_of_what_runs(run, new_cluster):
    new_cluster(cluster_id="x").start_cluster_sync()
    assert run("start", "--cluster-id=x")[0] == app.ALREADY_STARTED


def start_app(*args):
    start = app.IPClusterStart()
    start.initialize(list(args))
    return start


def test_a_broken_file_does_not_block_a_start(profile, capsys):
    ensure_profile(profile)
    cluster_file(profile).touch()
    cluster = start_app().make_cluster()
    assert cluster.cluster_id == ""
    assert "Assuming that the cluster is stopped" in capsys.readouterr().err


def test_options_reach_the_cluster(profile):
    start = start_app(
        *("-n", "3", "--profile=p", "--cluster-id=x", "--engines=LOCAL", "--ip=*", "--delay=1"),
        *("--location=here", "--daemonize", "--", "--nodb"),
    )
    cluster = start.make_cluster()
    assert (cluster.n, cluster.cluster_id, cluster.delay) == (3, "x", 1)
    assert cluster.profile_dir == str(profile.parent / "profile_p")
    assert (cluster.controller_ip, cluster.controller_location) == ("*", "here")
    assert cluster.controller_args == ["--nodb"]
    assert start.daemonize
    assert not cluster.shutdown_atexit


def test_old_names_in_the_configuration_file(profile, capsys):
    ensure_profile(profile)
    (profile / "ipcluster_config.py").write_text("c.IPClusterEngines.n = 7\n")
    assert start_app().make_cluster().n == 7
    assert "IPClusterEngines.n is now Cluster.n" in capsys.readouterr().err


def test_engines_alone_are_in_no_cluster_file(profile):
    engines = app.IPClusterEngines()
    engines.initialize(["-n", "2"])
    assert engines.make_cluster().cluster_file == ""


def test_clean(run, new_cluster, profile):
    new_cluster().start_cluster_sync()
    log = profile / "log" / "a.log"
    log.touch()
    assert run("clean")[0] == 1
    assert log.exists()
    assert run("clean", "--force")[0] == 0
    assert not log.exists()


class TestWatch:
    """What `ipcluster start` does when something ends."""

    def watch(self, cluster, end, **kwargs):
        async def main():
            watching = asyncio.ensure_future(app.IPClusterStart(**kwargs)._watch(cluster))
            await asyncio.sleep(0)
            end()
            return await watching

        return asyncio.run(main())

    @pytest.mark.parametrize(("exit_code", "result"), [(0, 0), (None, 0), (1, 1)])
    def test_the_controller_ends_it(self, new_cluster, exit_code, result):
        cluster = new_cluster().start_cluster_sync()
        assert self.watch(cluster, lambda: cluster.controller.end(exit_code)) == result

    def test_engines_that_stop_early_have_failed(self, new_cluster, capsys, monkeypatch):
        monkeypatch.setattr("ipyparallel.cluster.start_app._STOPPING_SECONDS", 0)
        cluster = new_cluster().start_cluster_sync()
        assert self.watch(cluster, lambda: cluster.engine_set.end(1)) == 1
        assert "what it said" in capsys.readouterr().err

    def test_not_if_the_controller_stops_with_them(self, new_cluster):
        cluster = new_cluster().start_cluster_sync()
        controller = cluster.controller

        def end():
            cluster.engine_set.end(1)
            controller.end(0)

        assert self.watch(cluster, end) == 0

    def test_engines_that_stop_later_do_not_end_it(self, new_cluster, capsys):
        cluster = new_cluster().start_cluster_sync()
        controller = cluster.controller
        cluster.engines["0"] = cluster.engine_set

        async def main():
            start = app.IPClusterStart(early_shutdown=-1)
            watching = asyncio.ensure_future(start._watch(cluster))
            await asyncio.sleep(0)
            cluster.engine_set.end(1)
            done, _ = await asyncio.wait([watching], timeout=0.01)
            assert not done
            controller.end(0)
            return await watching

        assert asyncio.run(main()) == 0
        assert "goes on without them" in capsys.readouterr().err
