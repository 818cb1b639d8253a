"""Connection files that an earlier run has left, so that all who have them find this one."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from ..protocol.connection import ClientInfo, EngineInfo, read_info

#: What the two files say alike.
_COMMON = ("interface", "registration", "key", "location", "pack", "unpack", "signature_scheme")


class NotReusable(ValueError):
    """Connection files cannot be used again; the text says why, and what to do."""


@dataclass(frozen=True)
class Earlier:
    """What an earlier run has told its clients and engines."""

    client: ClientInfo
    engine: EngineInfo

    @property
    def ports(self) -> list[int]:
        """Its ports, in the order in which a controller binds them; see `channels`."""
        c, e = self.client, self.engine
        inward = [e.control, e.mux, e.task, e.iopub, e.hb_ping, e.hb_pong, *e.broadcast[:1]]
        outward = [c.control, c.mux, c.task, c.iopub, c.notification, c.broadcast]
        return [c.registration, *inward, *outward]

    @property
    def socket_folder(self) -> Path | None:
        """Where its ipc sockets are; None if it listens on TCP."""
        scheme, _, path = self.client.interface.partition("://")
        return Path(path).parent if scheme == "ipc" else None


def read_earlier(
    client_file: str | os.PathLike[str], engine_file: str | os.PathLike[str]
) -> Earlier | None:
    """What the connection files of an earlier run say.

    Returns
    -------
    Earlier or None
        None if there are no files, or only one, since a run that was killed while it wrote them
        has told nobody.

    Raises
    ------
    NotReusable
        They cannot be read, or disagree.
    """
    if not (Path(client_file).exists() and Path(engine_file).exists()):
        return None
    advice = "remove the file (or both of them) to begin afresh"
    try:
        client = read_info(client_file, ClientInfo)
        engine = read_info(engine_file, EngineInfo)
    except (OSError, ValueError) as e:
        raise NotReusable(f"the connection files cannot be used again: {e}; {advice}") from None
    different = [name for name in _COMMON if getattr(client, name) != getattr(engine, name)]
    if different:
        raise NotReusable(
            f"the connection files {str(client_file)!r} and {str(engine_file)!r} are not of the"
            f" same run: they disagree on {', '.join(different)}; {advice}"
        )
    if not engine.broadcast:
        raise NotReusable(f"{str(engine_file)!r} has no port for 'broadcast'; {advice}")
    return Earlier(client, engine)
