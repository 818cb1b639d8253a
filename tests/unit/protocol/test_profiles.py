"""IPython's folders are found without IPython."""

import stat
from pathlib import Path

import pytest

from ipyparallel.protocol import profiles


@pytest.fixture
def root(tmp_path, monkeypatch):
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    return tmp_path / "ipython"


def test_ipythons_folder_is_the_one_given(root):
    assert profiles.ipython_dir("/somewhere") == Path("/somewhere")


def test_ipythons_folder_is_the_environments(root):
    assert profiles.ipython_dir() == root


def test_ipythons_folder_is_in_the_home_folder(monkeypatch, tmp_path):
    monkeypatch.delenv("IPYTHONDIR", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert profiles.ipython_dir() == tmp_path / ".ipython"
    assert profiles.ipython_dir("~/other") == tmp_path / "other"


def test_a_relative_folder_is_made_absolute(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    assert profiles.ipython_dir("here") == tmp_path / "here"


@pytest.mark.parametrize(("name", "folder"), [("", "profile_default"), ("x", "profile_x")])
def test_a_profile_is_a_folder_by_its_name(name, folder, root):
    assert profiles.profile_folder(name) == root / folder
    assert profiles.profile_folder(name, ipython="/other") == Path("/other") / folder
    assert not root.exists()


def test_a_profile_is_made_with_what_belongs_in_it(root):
    folder = profiles.ensure_profile(root / "profile_x")
    assert sorted(path.name for path in folder.iterdir()) == ["log", "pid", "security", "startup"]
    assert profiles.log_folder(folder).is_dir()
    assert stat.S_IMODE(profiles.security_folder(folder).stat().st_mode) == 0o700


def test_an_open_security_folder_is_closed_to_others(root):
    folder = profiles.ensure_profile(root / "profile_x")
    profiles.security_folder(folder).chmod(0o755)
    profiles.ensure_profile(folder)
    assert stat.S_IMODE(profiles.security_folder(folder).stat().st_mode) == 0o700


def test_profiles_are_listed_by_name(root):
    assert profiles.list_profiles() == {}
    for name in ("b", "a"):
        profiles.ensure_profile(root / f"profile_{name}")
    (root / "profile_file").write_text("not a folder")
    (root / "nbextensions").mkdir()
    assert profiles.list_profiles() == {"a": root / "profile_a", "b": root / "profile_b"}


def test_a_profile_is_named_by_its_folder_or_else_its_path(root):
    assert profiles.profile_name(root / "profile_x") == "x"
    assert profiles.profile_name("/elsewhere/profile_x") == "/elsewhere/profile_x"
    assert profiles.profile_name(root / "other") == str(root / "other")
