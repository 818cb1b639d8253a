"""Finding a cluster: from a dict, a file, or a profile."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ...protocol import profiles
from ...protocol.connection import ClientInfo, client_file, from_dict, read_info

#: Seconds between looks for a connection file that is not there yet.
_LOOK = 0.05

_NOT_FOUND = """\
Connection file {!r} not found.
You have attempted to connect to an IPython Cluster but no Controller could be found.
Please double-check your configuration and ensure that a cluster is running."""


def find_info(
    connection_info: Mapping[str, Any] | str | os.PathLike[str] | None,
    *,
    profile: str | None,
    profile_dir: str | os.PathLike[str] | None,
    ipython_dir: str | os.PathLike[str] | None,
    cluster_id: str,
    timeout: float,
) -> ClientInfo:
    """The connection information that the arguments of a Client lead to.

    Raises
    ------
    OSError
        There is no connection file; one that was not named is waited for first.
    ValueError
        What is there is not connection information.
    """
    if isinstance(connection_info, Mapping):
        return from_dict(dict(connection_info), ClientInfo)
    if connection_info is not None:
        if not isinstance(connection_info, (str, os.PathLike)):
            raise TypeError(
                "connection_info must be a dict or the path of a connection file, not a"
                f" {type(connection_info).__name__}"
            )
        text = os.fspath(connection_info)
        if "://" in text:
            raise ValueError(
                f"connection_info must be a dict or the path of a connection file, not the"
                f" address {text!r}"
            )
        path = Path(text).expanduser()
        if not path.is_file():
            raise OSError(_NOT_FOUND.format(str(path)))
        return read_info(path, ClientInfo)
    folder = (
        Path(profile_dir).expanduser()
        if profile_dir
        else profiles.profile_folder(profile or "", ipython=ipython_dir or "")
    )
    path = client_file(folder, cluster_id)
    if not path.exists():
        _wait_for(path, timeout)
    return read_info(path, ClientInfo)


def _wait_for(path: Path, timeout: float) -> None:
    print(f"Waiting for connection file: {_short(path)}", file=sys.stderr)  # noqa: T201
    deadline = time.monotonic() + timeout
    while not path.exists():
        if time.monotonic() >= deadline:
            raise OSError(_NOT_FOUND.format(str(path)))
        time.sleep(_LOOK)


def _short(path: Path) -> str:
    home = Path.home()
    return f"~/{path.relative_to(home)}" if path.is_relative_to(home) else str(path)
