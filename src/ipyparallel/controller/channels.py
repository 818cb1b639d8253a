"""The controller's sockets: bound in a fixed order, wired to relays, scheduler and hub."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import zmq

from ..transport.sockets import CONTROL_OUT, HUB, MUX_OUT, TASK_OUT, bound_silence, new_socket
from .channel_server import RequestEnds
from .hub import HubSockets
from .resubmission import RESUBMITTER

Context = zmq.Context[zmq.Socket[bytes]]
Socket = zmq.Socket[bytes]


@dataclass
class Ports:
    """Where each channel is bound."""

    registration: int
    engine: dict[str, Any]
    client: dict[str, int]


class Binder:
    """Binds sockets on an interface, one port after the other.

    Parameters
    ----------
    interface : str
        ``tcp://<address>`` or ``ipc://<path prefix>``.
    ports : iterator of int
        Port numbers to take; 0 for any free one.
    """

    def __init__(self, context: Context, interface: str, ports: Iterator[int]) -> None:
        self._context = context
        self._interface = interface
        self._ports = ports
        self._ipc_port = 0

    def bind(
        self, kind: int, identity: bytes = b"", linger: int = 0, patience: int = 0
    ) -> tuple[Socket, int]:
        """A new bound socket, and its port.

        Parameters
        ----------
        patience : int
            Milliseconds after which a peer that is silent counts as gone; 0 to leave that to the
            operating system.

        Raises
        ------
        OSError
            The address cannot be bound; the text names it.
        """
        socket = new_socket(self._context, kind, identity=identity, linger=linger)
        if identity in (CONTROL_OUT, MUX_OUT, TASK_OUT):
            bound_silence(socket)
        if patience:
            interval = max(1, patience // 10)
            socket.setsockopt(zmq.HEARTBEAT_IVL, interval)
            socket.setsockopt(zmq.HEARTBEAT_TIMEOUT, max(1, patience - interval))
        if self._interface.startswith("ipc:"):
            self._ipc_port += 1
            port = self._ipc_port
        else:
            port = next(self._ports)
        url = f"{self._interface}:{port or '*'}"
        try:
            socket.bind(url)
        except zmq.ZMQError as e:
            socket.close()
            raise OSError(f"cannot listen on {url}: {e.strerror}") from None
        if not port:
            port = int(socket.getsockopt_string(zmq.LAST_ENDPOINT).rpartition(":")[2])
        return socket, port


@dataclass
class Channels:
    """All sockets of a controller, in the hands of who uses them."""

    ports: Ports
    hub: HubSockets
    mux: RequestEnds
    control: RequestEnds
    task: RequestEnds
    output_engines: Socket  # XSUB
    output_clients: Socket  # XPUB
    broadcast_clients: Socket  # ROUTER
    broadcast_engines: Socket  # ROUTER


#: ROUTER identity of the broadcast channel, on the engines' side.
BROADCAST_OUT = b"sub_scheduler_0"

#: Milliseconds that the last messages of the hub have to leave when the controller stops.
_LINGER = 1000


def open_channels(
    context: Context, interface: str, ports: Iterator[int], task_turns: int | None = None
) -> Channels:
    """Bind everything. The order decides which port each channel gets.

    Parameters
    ----------
    task_turns : int, optional
        That tasks go to engines in turn, without a look at who is there, so that the socket has
        to find out: milliseconds after which an engine that is silent gets no more.
    """
    binder = Binder(context, interface, ports)
    engine: dict[str, Any] = {}
    client: dict[str, int] = {}
    queries, registration = binder.bind(zmq.ROUTER, linger=_LINGER)
    control_out, engine["control"] = binder.bind(zmq.ROUTER, CONTROL_OUT, linger=_LINGER)
    mux_out, engine["mux"] = binder.bind(zmq.ROUTER, MUX_OUT)
    task_kind = zmq.ROUTER if task_turns is None else zmq.DEALER
    task_out, engine["task"] = binder.bind(task_kind, TASK_OUT, patience=task_turns or 0)
    output_in, engine["iopub"] = binder.bind(zmq.XSUB)
    ping, engine["hb_ping"] = binder.bind(zmq.PUB)
    pong, engine["hb_pong"] = binder.bind(zmq.ROUTER)
    broadcast_out, broadcast_port = binder.bind(zmq.ROUTER, BROADCAST_OUT)
    engine["broadcast"] = [broadcast_port]
    control_in, client["control"] = binder.bind(zmq.ROUTER, b"control_in")
    mux_in, client["mux"] = binder.bind(zmq.ROUTER, b"mux_in")
    task_in, client["task"] = binder.bind(zmq.ROUTER, b"task_in", linger=_LINGER)
    output_out, client["iopub"] = binder.bind(zmq.XPUB)
    notifications, client["notification"] = binder.bind(zmq.XPUB, linger=_LINGER)
    broadcast_in, client["broadcast"] = binder.bind(zmq.ROUTER, BROADCAST_OUT)

    def connected(kind: int, port: int, identity: bytes = b"") -> Socket:
        socket = new_socket(context, kind, identity=identity)
        host = interface.replace("://0.0.0.0", "://127.0.0.1").replace("://*", "://127.0.0.1")
        socket.connect(f"{host}:{port}")
        return socket

    def pair(url: str) -> tuple[Socket, Socket]:
        one = new_socket(context, zmq.PAIR)
        one.bind(url)
        two = new_socket(context, zmq.PAIR)
        two.connect(url)
        return one, two

    mux_link, mux_end = pair("inproc://mux")
    control_link, control_end = pair("inproc://control")
    scheduler_link, scheduler_end = pair("inproc://scheduler")
    hub = HubSockets(
        queries=[queries],
        notifications=notifications,
        ping=ping,
        pong=pong,
        mux=connected(zmq.DEALER, client["mux"], HUB),
        control=connected(zmq.DEALER, client["control"], HUB),
        output=connected(zmq.SUB, client["iopub"]),
        output_source=connected(zmq.XPUB, engine["iopub"]),
        mux_relay=mux_link,
        control_relay=control_link,
        scheduler=scheduler_link,
        tasks=connected(zmq.DEALER, client["task"], RESUBMITTER),
    )
    return Channels(
        Ports(registration, engine, client),
        hub,
        mux=RequestEnds(mux_in, mux_out, mux_end),
        control=RequestEnds(control_in, control_out, control_end),
        task=RequestEnds(task_in, task_out, scheduler_end),
        output_engines=output_in,
        output_clients=output_out,
        broadcast_clients=broadcast_in,
        broadcast_engines=broadcast_out,
    )
