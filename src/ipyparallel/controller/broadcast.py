"""Stands where the broadcast scheduler will be: refuses, so that nobody waits in vain.

Published clients and engines need the broadcast channel to be there. A request that comes over it
is answered for each of its targets, as the engines would have, by an error.
"""

from __future__ import annotations

import logging
from typing import Any

import msgspec
import zmq

from ..error import describe_exception
from ..protocol.messages import UNREADABLE, encode
from ..protocol.session import Message, Session
from ..transport.channel import Channel

_WHY = NotImplementedError(
    "this controller has no broadcast scheduler yet; use a direct view, client[:], instead"
)


class BroadcastMetadata(msgspec.Struct):
    """What is read in the metadata of a broadcast request."""

    #: Pairs of an engine's uuid and id.
    targets: list[tuple[str, int]] = []
    is_coalescing: bool = False


def refusals(session: Session, request: Message) -> list[list[Any]]:
    """The replies to a broadcast request: one for each target, or one for all if they coalesce.

    Raises
    ------
    msgspec.MsgspecError
        The metadata is not that of a broadcast request.
    """
    metadata = msgspec.json.decode(request.metadata_frame, type=BroadcastMetadata)
    replies = []
    for uuid, engine_id in metadata.targets[: 1 if metadata.is_coalescing else None]:
        header = msgspec.structs.replace(request.header, msg_id=f"{request.header.msg_id}_{uuid}")
        engine_info = {"engine_uuid": uuid, "engine_id": engine_id, "method": "broadcast"}
        reply = session.message(
            request.header.msg_type.replace("_request", "_reply"),
            describe_exception(_WHY, [str(_WHY)], engine_info),
            parent=encode(header),
            metadata={
                "status": "error",
                "engine": uuid,
                "is_broadcast": True,
                "is_coalescing": metadata.is_coalescing,
                "original_msg_id": request.header.msg_id,
                "broadcast_targets": metadata.targets,
            },
        )
        replies.append([*request.idents, *reply])
    return replies


class BroadcastRefusal:
    """Answers broadcast requests.

    Parameters
    ----------
    clients, engines : zmq.Socket
        Bound ROUTER sockets; nothing is ever sent to the engines.
    """

    def __init__(
        self,
        session: Session,
        clients: zmq.Socket[bytes],
        engines: zmq.Socket[bytes],
        log: logging.Logger,
    ) -> None:
        self._session = session
        self._engines = engines
        self._log = log
        self._channel = Channel(clients, self._on_request)

    def close(self) -> None:
        """Close the sockets."""
        self._channel.close()
        self._engines.close()

    def _on_request(self, frames: list[Any]) -> None:
        try:
            replies = refusals(self._session, self._session.parse(frames))
        except UNREADABLE as e:
            self._log.warning("Dropped a message on the broadcast channel: %s", e)
            return
        for reply in replies:
            self._channel.send(reply)
