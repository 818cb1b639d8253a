"""The last word about an engine, for when its own connection cannot say it."""

from __future__ import annotations

import zmq

from ..protocol.connection import EngineInfo
from ..protocol.messages import UnregistrationRequest
from ..protocol.session import Session
from ..transport.addresses import reachable
from ..transport.liveness import refused
from ..transport.sockets import new_socket, send

#: Milliseconds that the news may take to reach the hub.
_LINGER = 3000


def report_death(info: EngineInfo, request: UnregistrationRequest) -> None:
    """Tell the hub that an engine is gone; returns when the message has left.

    Nothing is sent when there is no hub any more.
    """
    url = f"{reachable(info.interface, info.location)}:{info.registration}"
    if refused(url):
        return
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    socket = new_socket(context, zmq.DEALER, linger=_LINGER)
    socket.connect(url)
    session = Session(info.key.encode(), signature_scheme=info.signature_scheme)
    send(socket, session.message("unregistration_request", request))
    socket.close()
    context.term()
