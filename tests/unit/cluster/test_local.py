import os

import pytest
from traitlets.config import Config

from ipyparallel.cluster.launchers import local
from ipyparallel.cluster.launchers.local import LocalControllerLauncher, LocalEngineSetLauncher
from ipyparallel.engine.app import IPEngine
from ipyparallel.protocol import profiles

pytestmark = pytest.mark.skipif(local.WINDOWS, reason="ipc is for POSIX")


@pytest.fixture
def folder(tmp_path):
    return profiles.ensure_profile(tmp_path / "profile_x")


def controller(folder, **kwargs):
    return LocalControllerLauncher(
        profile_dir=str(folder), controller_cmd=["c"], engines_are_local=True, **kwargs
    )


def test_a_local_cluster_uses_ipc(folder):
    assert controller(folder).args == ["c", "--transport=ipc"]


@pytest.mark.parametrize("args", [["--ip=*"], ["--ports=1-20"], ["--IPController.ssh_server=me@x"]])
def test_not_if_an_argument_asks_for_something_else(folder, args):
    assert controller(folder, controller_args=args).args == ["c", *args]


def test_not_if_the_configuration_asks_for_something_else(folder):
    config = Config()
    config.IPController.ip = "*"
    assert controller(folder, config=config).args == ["c"]
    (folder / "ipcontroller_config.py").write_text("c.IPController.location = 'host'\n")
    assert controller(folder).args == ["c"]


def test_not_if_engines_come_from_elsewhere(folder):
    launcher = controller(folder)
    launcher.engines_are_local = False
    assert launcher.args == ["c"]


def test_the_trait_decides(folder):
    assert controller(folder, transport="tcp").args == ["c", "--transport=tcp"]


@pytest.mark.parametrize(("args", "kept"), [([], False), (["--reuse"], True)])
def test_files_of_an_earlier_controller_are_removed_unless_it_is_to_be_reused(folder, args, kept):
    launcher = controller(folder, controller_args=args)
    path = launcher.connection_files["engine"]
    path.write_text("old")
    launcher._forget_earlier()
    assert path.exists() is kept


def test_a_supervisor_is_told_how_many_engines(folder):
    launcher = LocalEngineSetLauncher(profile_dir=str(folder), engine_cmd=["e"], n=3)
    assert launcher.args == ["e", "-n", "3"]
    assert launcher.waits_for_connection_file


@pytest.mark.parametrize("resources", [{"gpu": 1}, [{"gpu": 1}, {}, {"a b": 0.5}]])
def test_a_supervisor_is_told_what_its_engines_have(folder, resources):
    launcher = LocalEngineSetLauncher(profile_dir=str(folder), n=3, resources=resources)
    app = IPEngine()
    app.parse_command_line(launcher.args[len(launcher.engine_cmd) :])
    assert app.resources == resources
    assert LocalEngineSetLauncher(profile_dir=str(folder), engine_cmd=["e"]).args == [
        "e",
        "-n",
        "1",
    ]


def test_each_start_has_a_log_of_its_own(folder):
    first = controller(folder).output_file
    assert os.path.dirname(first) == str(folder / "log")
    open(first, "w").close()
    second = controller(folder).output_file
    assert second != first
    assert second.endswith(".1.log")


def test_the_logs_of_earlier_processes_are_bounded(folder):
    for i in range(5):
        path = folder / "log" / f"ipcontroller-{i}.log"
        path.touch()
        os.utime(path, (i, i))
    other = folder / "log" / "ipengine-1.log"
    other.touch()
    controller(folder, kept_logs=2)._drop_old_logs()
    left = sorted(path.name for path in (folder / "log").iterdir())
    assert left == ["ipcontroller-3.log", "ipcontroller-4.log", "ipengine-1.log"]


def test_engines_are_told_whether_they_are_started_again(folder):
    options = {"profile_dir": str(folder), "engine_cmd": ["e"]}
    launcher = LocalEngineSetLauncher(restart="on-failure", **options)
    assert launcher.args == ["e", "--restart=on-failure", "-n", "1"]
    assert launcher.to_dict()["restart"] == "on-failure"
