"""Connection files: where a controller listens and the secret it shares, as JSON.

There are two, one for clients and one for engines. They are written whole or not at all, and only
their owner can read them.
"""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from .profiles import security_folder


class ConnectionInfo(msgspec.Struct, kw_only=True):
    """What both files say. The fields stand in the order in which they are written."""

    ssh: str = ""
    interface: str
    registration: int
    control: int
    mux: int
    task: int
    iopub: int
    key: str
    curve_serverkey: str | None = None
    location: str = ""
    pack: str = "json"
    unpack: str = "json"
    signature_scheme: str = "hmac-sha256"

    def url(self, port: int) -> str:
        """The address of a channel. The same form for TCP and for ipc, as published peers build."""
        return f"{self.interface}:{port}"


class ClientInfo(ConnectionInfo, kw_only=True):
    """The client's file."""

    task_scheme: str = "leastload"
    notification: int
    broadcast: int = 0


class EngineInfo(ConnectionInfo, kw_only=True):
    """The engine's file."""

    hb_ping: int
    hb_pong: int
    broadcast: list[int] = []


# fmt: off
_CLIENT_ORDER = (
    "ssh", "interface", "registration", "control", "mux", "task", "task_scheme", "iopub",
    "notification", "broadcast", "key", "curve_serverkey", "location", "pack", "unpack",
    "signature_scheme",
)
_ENGINE_ORDER = (
    "ssh", "interface", "registration", "control", "mux", "task", "iopub", "hb_ping", "hb_pong",
    "broadcast", "key", "curve_serverkey", "location", "pack", "unpack", "signature_scheme",
)
# fmt: on

Info = TypeVar("Info", ClientInfo, EngineInfo)


def client_file(profile: str | os.PathLike[str], cluster_id: str = "") -> Path:
    """Path of the client's connection file in a profile folder."""
    return security_folder(profile) / f"ipcontroller-{_infix(cluster_id)}client.json"


def engine_file(profile: str | os.PathLike[str], cluster_id: str = "") -> Path:
    """Path of the engine's connection file in a profile folder."""
    return security_folder(profile) / f"ipcontroller-{_infix(cluster_id)}engine.json"


def _infix(cluster_id: str) -> str:
    return f"{cluster_id}-" if cluster_id else ""


def to_dict(info: ClientInfo | EngineInfo) -> dict[str, Any]:
    """The file's content, keys in the order of the file."""
    order = _CLIENT_ORDER if isinstance(info, ClientInfo) else _ENGINE_ORDER
    return {key: getattr(info, key) for key in order}


def write_info(path: str | os.PathLike[str], info: ClientInfo | EngineInfo) -> None:
    """Write a connection file, mode 0600; readers see the old file or the new one, never a part."""
    write_private(path, json.dumps(to_dict(info), indent=2) + "\n")


def write_private(path: str | os.PathLike[str], text: str) -> None:
    """Replace the file at `path` by one with this text, which only its owner can read."""
    path = Path(path)
    # mkstemp makes the file 0600
    fd, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(fd, "w", encoding="utf-8") as file:
            file.write(text)
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise


def read_info(path: str | os.PathLike[str], kind: type[Info]) -> Info:
    """Read a connection file.

    Raises
    ------
    OSError
        It cannot be read.
    ValueError
        It is not a connection file of that kind; the text names what is missing or wrong.
    """
    data = Path(path).read_bytes()
    try:
        content = json.loads(data)
    except ValueError as e:
        raise ValueError(f"Connection file {str(path)!r} is not JSON: {e}") from None
    return from_dict(content, kind, f"Connection file {str(path)!r}")


def from_dict(content: Any, kind: type[Info], source: str = "Connection info") -> Info:
    """Connection information from the dict that a connection file holds.

    Parameters
    ----------
    content : dict
        What the file holds.
    kind : ClientInfo or EngineInfo
        Which of the two.
    source : str
        What it was read from, for the error.

    Raises
    ------
    ValueError
        As for `read_info`.
    """
    if not isinstance(content, dict):
        raise ValueError(f"{source} must hold a JSON object, not {type(content).__name__}")
    required = [
        field.name
        for field in msgspec.structs.fields(kind)
        if field.required and field.name not in content
    ]
    if required:
        raise ValueError(f"{source} is invalid (missing {', '.join(map(repr, required))})")
    try:
        return msgspec.convert(content, kind)
    except msgspec.ValidationError as e:
        raise ValueError(f"{source} is invalid ({e})") from None
