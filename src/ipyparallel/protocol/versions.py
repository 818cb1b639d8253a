"""Versions of Python and of key packages: which a process has, and when a difference matters.

What travels between client and engines is pickled on one side and unpickled on the other; each
tells its versions, so that what fails for a difference between them can be told as such. A peer
that tells nothing (of the published package) is of unknown versions.
"""

from __future__ import annotations

import platform
from collections.abc import Mapping
from functools import cache

from .._version import __version__

#: What versions are told of besides Python and this package, as they are to be shown.
PACKAGES = (
    "cloudpickle",
    "msgspec",
    "pyzmq",
    "ipykernel",
    "IPython",
    "tornado",
    "traitlets",
    "dill",
    "numpy",
    "pandas",
    "pyarrow",
)

#: Packages whose pickles are not to be read by another major version of theirs.
_PICKLED = frozenset(("cloudpickle", "numpy", "pandas"))

#: Versions by name.
Versions = Mapping[str, str]


@cache
def own_versions() -> dict[str, str]:
    """Versions of ``python``, of this package, and of those of `PACKAGES` that are installed.

    None of them is imported for this. Takes some milliseconds the first time; forked processes
    have it from their parent.
    """
    # a third of all that this takes, and who only imports this module may never ask
    from importlib.metadata import PackageNotFoundError, version

    versions = {"python": platform.python_version(), "ipyparallel": __version__}
    for package in PACKAGES:
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            continue
    return versions


def differences(mine: Versions, theirs: Versions) -> dict[str, tuple[str, str]]:
    """What both have, in different versions: mine and theirs, by name."""
    return {
        name: (version, theirs[name])
        for name, version in mine.items()
        if name in theirs and theirs[name] != version
    }


def worth_a_warning(name: str, mine: str, theirs: str) -> bool:
    """Whether these versions differ so that what one has pickled may be of no use to the other.

    For Python that is another minor version: functions and classes travel as bytecode, which
    each has its own of. For what else is pickled it is another major version.
    """
    if name == "python":
        return _release(mine, 2) != _release(theirs, 2)
    return name in _PICKLED and _release(mine, 1) != _release(theirs, 1)


def troubles(mine: Versions, theirs: Versions) -> dict[str, tuple[str, str]]:
    """Those of the `differences` that are worth a warning."""
    return {
        name: pair
        for name, pair in differences(mine, theirs).items()
        if worth_a_warning(name, *pair)
    }


def _release(version: str, parts: int) -> list[str]:
    return version.split(".")[:parts]
