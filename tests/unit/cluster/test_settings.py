import inspect
import logging

import pytest
from traitlets.config import Config

from ipyparallel.cluster import settings
from ipyparallel.cluster.cluster import Cluster
from ipyparallel.cluster.launcher import LocalControllerLauncher, LocalEngineSetLauncher
from ipyparallel.cluster.profile_config import translate_config


def write_config(profile, text):
    profile.mkdir(parents=True)
    (profile / "ipcluster_config.py").write_text(text)


def test_defaults(profile):
    cluster = Cluster()
    assert cluster.profile_dir == str(profile)
    assert cluster.controller_launcher_class is LocalControllerLauncher
    assert cluster.engine_launcher_class is LocalEngineSetLauncher
    assert cluster.n is None
    assert cluster.delay == 0
    assert cluster.cluster_file == str(profile / "security" / f"cluster-{cluster.cluster_id}.json")
    assert Cluster().cluster_id != cluster.cluster_id


def test_a_profile_by_name_and_by_folder(profile, tmp_path):
    assert Cluster(profile="x").profile_dir == str(profile.parent / "profile_x")
    assert Cluster(profile_dir=str(tmp_path / "p"), profile="x").profile_dir == str(tmp_path / "p")


def test_short_names_for_the_launchers(profile):
    assert Cluster(engines="Local", controller="local").engine_launcher_class
    with pytest.raises(TypeError, match="'engines' and 'engine_launcher_class'"):
        Cluster(engines="local", engine_launcher_class="local")


def test_a_wrong_argument_is_named(profile):
    with pytest.raises(TypeError, match="unexpected arguments: 'engine'"):
        Cluster(engine="local")
    with pytest.raises(TypeError):
        Cluster(4)


def test_the_signature_lists_the_settings():
    parameters = inspect.signature(Cluster).parameters
    assert {"n", "engines", "controller", "profile", "cluster_id", "config"} <= set(parameters)
    assert {p.kind for p in parameters.values()} == {inspect.Parameter.KEYWORD_ONLY}


def test_arguments_win_over_config_and_config_over_the_profile(profile):
    write_config(profile, "c.Cluster.n = 1\nc.Cluster.delay = 1\nc.Cluster.engine_timeout = 1\n")
    config = Config()
    config.Cluster.delay = 2
    config.Cluster.n = 2
    cluster = Cluster(n=3, config=config)
    assert (cluster.n, cluster.delay, cluster.engine_timeout) == (3, 2, 1)


def test_the_profile_may_be_left_unread(profile):
    write_config(profile, "c.Cluster.n = 1\n")
    assert Cluster(load_profile=False).n is None


def test_launchers_get_the_configuration_of_the_profile(profile):
    write_config(profile, "c.LocalControllerLauncher.transport = 'tcp'\n")
    assert LocalControllerLauncher(parent=Cluster()).transport == "tcp"


def test_the_log_is_that_of_an_application_or_our_own(profile):
    assert Cluster(log_level=logging.ERROR).log.name == "ipyparallel.cluster"
    assert logging.getLogger("ipyparallel.cluster").level == logging.ERROR
    parent = settings.LoggingConfigurable(log=logging.getLogger("theirs"))
    assert Cluster(parent=parent).log.name == "theirs"


def test_cpu_count():
    assert settings.cpu_count() >= 1


def test_old_configuration_names_still_work():
    config = Config()
    config.IPClusterEngines.n = 3
    config.IPClusterStart.controller_ip = "*"
    config.IPClusterStart.early_shutdown = 5
    renamed, texts = translate_config(config)
    assert renamed == {"Cluster": {"n": 3, "controller_ip": "*"}}
    assert texts == [
        "IPClusterStart.controller_ip is now Cluster.controller_ip",
        "IPClusterEngines.n is now Cluster.n",
    ]
