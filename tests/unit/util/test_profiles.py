"""IPython's profiles."""

from pathlib import Path

import pytest

from ipyparallel.util import (
    _all_profile_dirs,
    _default_profile_dir,
    _locate_profiles,
    abbreviate_profile_dir,
)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path))
    for name in "default", "mine":
        (tmp_path / f"profile_{name}").mkdir()
    return tmp_path


def test_where_profiles_are(folder):
    default, mine = str(folder / "profile_default"), str(folder / "profile_mine")
    assert _all_profile_dirs() == _locate_profiles() == [default, mine]
    assert _locate_profiles(["mine"]) == [mine]
    assert _default_profile_dir() == default
    assert _default_profile_dir("mine") == mine
    with pytest.raises(FileNotFoundError, match=r"'no' \(there are: default, mine\)"):
        _locate_profiles(["no"])


def test_short_names(folder, monkeypatch):
    assert abbreviate_profile_dir(folder / "profile_mine") == "mine"
    monkeypatch.setattr(Path, "home", lambda: folder / "home")
    assert abbreviate_profile_dir(str(folder / "home" / "some")) == "~/some"
    assert abbreviate_profile_dir("/else/where") == "/else/where"
