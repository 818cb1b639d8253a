import logging

import pytest

from ipyparallel.cluster import manager as manager_module
from ipyparallel.cluster.files import cluster_file
from ipyparallel.cluster.manager import ClusterManager, clean_cluster_files
from ipyparallel.protocol.profiles import ensure_profile


def test_clusters_are_found_in_all_profiles(new_cluster, profile, tmp_path):
    new_cluster(cluster_id="").start_cluster_sync()
    other = profile.parent / "profile_other"
    new_cluster(cluster_id="x", profile_dir=str(other)).start_cluster_sync()
    outside = tmp_path / "elsewhere"
    new_cluster(cluster_id="y", profile_dir=str(outside)).start_cluster_sync()
    manager = ClusterManager()
    assert set(manager.load_clusters()) == {"default:", "other:x"}
    assert set(ClusterManager().load_clusters(profile="other")) == {"other:x"}
    assert set(ClusterManager().load_clusters(profiles=["other"])) == {"other:x"}
    assert set(ClusterManager().load_clusters(profile_dir=outside)) == {f"{outside}:y"}
    both = ClusterManager().load_clusters(profile_dirs=[profile, outside])
    assert set(both) == {"default:", f"{outside}:y"}
    assert manager.get_cluster("default:").controller.running


def test_known_clusters_are_kept_and_dead_ones_forgotten(new_cluster):
    original = new_cluster(cluster_id="").start_cluster_sync()
    manager = ClusterManager()
    found = manager.load_clusters()["default:"]
    assert manager.load_clusters()["default:"] is found
    original.stop_cluster_sync()
    found.controller.end(0)
    found.engine_set.end(0)
    assert manager.load_clusters() == {}


@pytest.mark.parametrize("text", ["", "{}", '{"cluster": 1}'])
def test_broken_files_are_removed_with_a_warning(profile, caplog, text):
    ensure_profile(profile)
    path = cluster_file(profile, "x")
    path.write_text(text)
    log = logging.getLogger("test")
    assert ClusterManager(log=log).load_clusters() == {}
    assert not path.exists()
    assert "cluster-x.json" in caplog.text


def test_a_file_of_which_nothing_runs_is_removed(new_cluster, fakes):
    cluster = new_cluster().start_cluster_sync()
    fakes.FakeController.alive.clear()
    assert ClusterManager().load_clusters() == {}
    assert not manager_module.find_cluster_files(cluster.profile_dir)


def test_default_clusters_are_offered(profile):
    ensure_profile(profile)
    manager = ClusterManager()
    clusters = manager.load_clusters(init_default_clusters=True)
    assert list(clusters) == ["default:"]
    assert clusters["default:"].controller is None
    assert manager.load_clusters(init_default_clusters=True) == clusters


def test_new_clusters(profile):
    manager = ClusterManager()
    key, cluster = manager.new_cluster(cluster_id="x", n=3)
    assert key == "default:x"
    assert manager.get_cluster(key) is cluster
    with pytest.raises(KeyError, match="already exists"):
        manager.new_cluster(cluster_id="x")
    # it is ours, though it does not run
    assert manager.load_clusters() == {key: cluster}
    manager.remove_cluster(key)
    with pytest.raises(KeyError):
        manager.get_cluster(key)


def test_cleaning(new_cluster, profile):
    cluster = new_cluster().start_cluster_sync()
    connection_file = profile / "security" / "ipcontroller-client.json"
    connection_file.touch()
    (profile / "log" / "a.log").touch()
    with pytest.raises(ValueError, match="Stop these clusters"):
        clean_cluster_files()
    assert connection_file.exists()
    clean_cluster_files(profile, force=True)
    assert not list((profile / "security").iterdir())
    assert not list((profile / "log").iterdir())
    cluster.stop_cluster_sync()
    clean_cluster_files([profile])
