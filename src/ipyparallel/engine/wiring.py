"""An engine's sockets: one a channel."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

import zmq

from ..protocol.connection import EngineInfo
from ..transport.liveness import reconnect_soon, watch, watch_connections
from ..transport.sockets import descriptor, has_input, new_socket

Socket = zmq.Socket[bytes]

#: Milliseconds that an engine's last messages have to leave when it stops.
_LINGER = 2000


@dataclass
class EngineSockets:
    """See the module's text. All but the last two bear the engine's uuid.

    `tasks` is not connected yet: an engine that is can get tasks, so that has to wait until it is
    ready.
    """

    context: zmq.Context[Socket]
    registration: Socket
    direct: Socket
    tasks: Socket
    control: Socket
    output: Socket
    #: Tells when the registration socket loses the controller.
    monitor: Socket
    #: Each tells when another socket, on which requests come, is connected.
    connections: list[Socket]


def connect(info: EngineInfo, interface: str, uuid: str) -> EngineSockets:
    """Make and connect the sockets.

    Parameters
    ----------
    info : EngineInfo
        The engine's connection file.
    interface : str
        Its interface, as this host reaches it.
    uuid : str
        The engine's.
    """
    context: zmq.Context[Socket] = zmq.Context()
    identity = uuid.encode()

    def dealer() -> Socket:
        return new_socket(context, zmq.DEALER, identity=identity, linger=_LINGER)

    registration = dealer()
    monitor = watch(registration)
    registration.connect(f"{interface}:{info.registration}")
    direct, tasks, control = dealer(), dealer(), dealer()
    connections = [watch_connections(socket) for socket in (direct, tasks, control)]
    direct.connect(f"{interface}:{info.mux}")
    control.connect(f"{interface}:{info.control}")
    output = new_socket(context, zmq.XPUB, identity=identity, linger=_LINGER)
    reconnect_soon(output)
    output.connect(f"{interface}:{info.iopub}")
    return EngineSockets(
        context, registration, direct, tasks, control, output, monitor, connections
    )


async def wait_readable(socket: Socket) -> None:
    """Return when a message waits in the socket."""
    loop = asyncio.get_running_loop()
    fd = descriptor(socket)
    while not has_input(socket):
        changed = asyncio.Event()
        loop.add_reader(fd, changed.set)
        try:
            await changed.wait()
        finally:
            loop.remove_reader(fd)
