"""``ipython profile create --parallel``: IPython imports our applications by their old paths."""

import os
import subprocess
import sys
from types import SimpleNamespace

import pytest

from ipyparallel.cluster.app import IPClusterStart
from ipyparallel.controller.app import IPController
from ipyparallel.engine.app import IPEngine

FILES = {"ipcontroller_config.py", "ipengine_config.py", "ipcluster_config.py"}


def test_ipython_stages_our_configuration_files(tmp_path):
    run = subprocess.run(
        [sys.executable, "-m", "IPython", "profile", "create", "mine", "--parallel"],
        env={**os.environ, "IPYTHONDIR": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    made = {path.name for path in (tmp_path / "profile_mine").iterdir()}
    assert made >= FILES, run.stderr
    text = (tmp_path / "profile_mine" / "ipcontroller_config.py").read_text()
    assert "# c.IPController.ip = '127.0.0.1'" in text


@pytest.mark.parametrize("app_class", [IPController, IPEngine, IPClusterStart])
def test_a_file_that_is_there_is_kept(app_class, tmp_path):
    app = app_class(profile_folder=str(tmp_path))
    path = tmp_path / f"{app.config_name}_config.py"
    path.write_text("mine")
    app.init_config_files()
    assert path.read_text() == "mine"
    app.overwrite = True
    app.profile_dir = SimpleNamespace(location=str(tmp_path))
    app.init_config_files()
    assert "get_config()" in path.read_text()


@pytest.mark.parametrize("app_class", [IPController, IPEngine, IPClusterStart])
def test_what_is_staged_can_be_loaded_and_sets_nothing(app_class, tmp_path):
    app_class(profile_folder=str(tmp_path)).init_config_files()
    app = app_class(profile_folder=str(tmp_path))
    before = app.config.copy()
    app.load_config_file(f"{app.config_name}_config", path=str(tmp_path))
    assert app.config == before
