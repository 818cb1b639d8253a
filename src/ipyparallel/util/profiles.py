"""IPython's profile folders."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from ..protocol import profiles


def abbreviate_profile_dir(profile_dir: str | os.PathLike[str]) -> str:
    """The name of a profile among IPython's, else its path, with ``~`` for the home folder."""
    name = profiles.profile_name(profile_dir)
    if name != str(Path(profile_dir)):
        return name
    path = Path(profile_dir)
    home = Path.home()
    return str(Path("~") / path.relative_to(home)) if path.is_relative_to(home) else str(path)


def _all_profile_dirs() -> list[str]:
    """The folders of all of IPython's profiles."""
    return [str(folder) for folder in profiles.list_profiles().values()]


def _default_profile_dir(profile: str | None = None) -> str:
    """The folder of a profile; by default that of the running IPython, else ``default``."""
    return str(profiles.profile_folder(profile or ""))


def _locate_profiles(names: Iterable[str] | None = None) -> list[str]:
    """The folders of these profiles; by default of all there are.

    Raises
    ------
    FileNotFoundError
        There is no such profile.
    """
    known = profiles.list_profiles()
    folders = []
    for name in known if names is None else names:
        if name not in known:
            raise FileNotFoundError(
                f"there is no profile {name!r} (there are: {', '.join(known) or 'none'})"
            )
        folders.append(str(known[name]))
    return folders
