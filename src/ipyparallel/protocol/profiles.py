"""Where a cluster keeps its files: IPython's profile folders, found without importing IPython."""

from __future__ import annotations

import os
import sys
from pathlib import Path

_SUBFOLDERS = ("security", "log", "pid", "startup")


def ipython_dir(explicit: str | os.PathLike[str] = "") -> Path:
    """IPython's folder: as given, else ``$IPYTHONDIR``, else ``~/.ipython``."""
    text = os.fspath(explicit) or os.environ.get("IPYTHONDIR") or "~/.ipython"
    return Path(text).expanduser().absolute()


def profile_folder(name: str = "", *, ipython: str | os.PathLike[str] = "") -> Path:
    """The folder of the profile `name`; by default that of the running IPython, or ``default``.

    The folder need not exist: see `ensure_profile`.
    """
    if not name and not ipython and (current := _running_profile()) is not None:
        return current
    return ipython_dir(ipython) / f"profile_{name or 'default'}"


def ensure_profile(folder: str | os.PathLike[str]) -> Path:
    """Make the profile folder and what belongs in it; only its owner may read the secrets."""
    path = Path(folder).expanduser().absolute()
    path.mkdir(parents=True, exist_ok=True)
    for name in _SUBFOLDERS:
        (path / name).mkdir(exist_ok=True)
    security_folder(path).chmod(0o700)
    return path


def security_folder(profile: str | os.PathLike[str]) -> Path:
    """Where the connection and cluster files are."""
    return Path(profile) / "security"


def log_folder(profile: str | os.PathLike[str]) -> Path:
    """Where the log files are."""
    return Path(profile) / "log"


def list_profiles(ipython: str | os.PathLike[str] = "") -> dict[str, Path]:
    """The profiles there are, by name."""
    root = ipython_dir(ipython)
    if not root.is_dir():
        return {}
    return {
        folder.name.removeprefix("profile_"): folder
        for folder in sorted(root.glob("profile_*"))
        if folder.is_dir()
    }


def profile_name(folder: str | os.PathLike[str]) -> str:
    """The name of the profile at `folder`, or its path if it is not among IPython's."""
    path = Path(folder)
    if path.parent == ipython_dir() and path.name.startswith("profile_"):
        return path.name.removeprefix("profile_")
    return str(path)


def _running_profile() -> Path | None:
    """The profile of the IPython that this process runs, if it runs one."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    folder = getattr(getattr(shell, "profile_dir", None), "location", None)
    return Path(folder) if folder else None
