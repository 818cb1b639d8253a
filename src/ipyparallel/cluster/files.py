"""Cluster files: what runs and how to find it again, as JSON in the profile's security folder."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from ..protocol.connection import write_private
from ..protocol.profiles import security_folder


def cluster_file(profile_dir: str | os.PathLike[str], cluster_id: str = "") -> Path:
    """Path of the cluster file in a profile folder; that of the default id is ``cluster-.json``."""
    return security_folder(profile_dir) / f"cluster-{cluster_id}.json"


def find_cluster_files(profile_dir: str | os.PathLike[str]) -> list[Path]:
    """The cluster files in a profile folder."""
    return sorted(security_folder(profile_dir).glob("cluster-*.json"))


def read_cluster_file(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Read a cluster file.

    Raises
    ------
    OSError
        It cannot be read.
    ValueError
        It is not a cluster file: empty, cut off, or something else.
    """
    data = Path(path).read_bytes()
    try:
        content = json.loads(data)
    except ValueError as e:
        raise ValueError(f"Cluster file {str(path)!r} is not JSON: {e}") from None
    check_cluster_dict(content, f"Cluster file {str(path)!r}")
    found: dict[str, Any] = content
    return found


def check_cluster_dict(content: Any, source: str = "The dict") -> None:
    """Raise ValueError, naming what is wrong, unless it has the shape of a cluster file."""
    parts = {"cluster": dict, "controller": dict, "engines": dict}
    if not isinstance(content, dict):
        raise ValueError(f"{source} must hold a JSON object, not {type(content).__name__}")
    for name, kind in parts.items():
        if not isinstance(content.get(name, kind()), kind):
            raise ValueError(f"{source} is invalid ({name!r} must be an object)")
    for name, keys in {"cluster": ["cluster_id", "profile_dir"], "engines": ["sets"]}.items():
        for key in keys:
            if key not in content.get(name, {}):
                raise ValueError(f"{source} is invalid (missing '{name}.{key}')")


def write_cluster_file(path: str | os.PathLike[str], content: dict[str, Any]) -> None:
    """Write a cluster file, whole or not at all, for its owner's eyes only."""
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    write_private(path, json.dumps(content, indent=2) + "\n")
