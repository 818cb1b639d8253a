"""ZeroMQ sockets: their options, and multipart messages without needless copies."""

from __future__ import annotations

from typing import Any, cast

import zmq

from ..protocol.framing import COMPACT, DELIMITER, ENVELOPE

#: From this size on (bytes), a frame is handed over without copying it.
NO_COPY = 1 << 16

#: Milliseconds that what was sent may have no sign of having arrived. Then the connection breaks,
#: and another is made; the operating system alone would wait for a quarter of an hour. More than a
#: minute's loss of network, and the pause before the attempt that finds it over.
_MAX_SILENCE = 120_000

#: ROUTER identities of the controller's sockets on the engines' side.
MUX_OUT = b"mux_out"
TASK_OUT = b"task_out"
CONTROL_OUT = b"control_out"

#: Identity under which the hub itself is a client of the direct and control channels.
HUB = b"hub"


def new_socket(
    context: zmq.Context[zmq.Socket[bytes]],
    kind: int,
    *,
    identity: bytes = b"",
    linger: int = 0,
) -> zmq.Socket[bytes]:
    """A socket that never blocks and never drops for lack of room.

    Parameters
    ----------
    kind : int
        Such as ``zmq.DEALER``.
    identity : bytes
        Routing id that a ROUTER peer will know this socket by; random when empty.
    linger : int
        Milliseconds that closing the context waits for unsent messages.
    """
    socket = context.socket(kind)
    socket.setsockopt(zmq.LINGER, linger)
    socket.setsockopt(zmq.SNDHWM, 0)
    socket.setsockopt(zmq.RCVHWM, 0)
    # firewalls drop connections that are idle for long, without telling either end
    socket.setsockopt(zmq.TCP_KEEPALIVE, 1)
    socket.setsockopt(zmq.TCP_KEEPALIVE_IDLE, 60)
    socket.setsockopt(zmq.TCP_KEEPALIVE_INTVL, 20)
    if identity:
        socket.setsockopt(zmq.IDENTITY, identity)
    if kind == zmq.ROUTER:
        # a peer that reconnects under its old identity takes the place of its dead connection
        socket.setsockopt(zmq.ROUTER_HANDOVER, 1)
    return socket


def bound_silence(socket: zmq.Socket[bytes]) -> None:
    """Have connections break whose other end is silent for long though something was sent there.

    For connections between engines and controller, which can make up for what is lost with one. Not
    for those of clients: who suspends one has the rest of the results when it goes on.
    """
    socket.setsockopt(zmq.TCP_MAXRT, _MAX_SILENCE)


def descriptor(socket: zmq.Socket[bytes]) -> int:
    """The descriptor that becomes readable, once, when something about the socket has changed."""
    return cast(int, socket.getsockopt(zmq.FD))


def has_input(socket: zmq.Socket[bytes]) -> bool:
    """Whether a message waits in the socket."""
    return bool(cast(int, socket.getsockopt(zmq.EVENTS)) & zmq.POLLIN)


def receive(socket: zmq.Socket[bytes]) -> list[Any]:
    """The next message that waits in `socket`; raises ``zmq.Again`` when there is none.

    Frames up to the content are bytes. Buffers are bytes too while they are small, and frames of
    ZeroMQ's own memory when they are not.
    """
    recv = socket.recv
    frame = recv(zmq.NOBLOCK)
    frames: list[Any] = [frame]
    text = _text_after(frame)
    while socket.getsockopt(zmq.RCVMORE):
        if text == 0:
            buffer = recv(copy=False)
            frames.append(buffer if len(buffer) >= NO_COPY else buffer.bytes)
            continue
        frame = recv()
        frames.append(frame)
        text = text - 1 if text > 0 else _text_after(frame)
    return frames


def _text_after(frame: bytes) -> int:
    """How many frames of text follow this one before the buffers; -1 if it does not say."""
    if frame == DELIMITER:
        return ENVELOPE
    return 0 if frame.startswith(COMPACT) else -1


def send(socket: zmq.Socket[bytes], frames: list[Any], flags: int = 0) -> None:
    """Send a multipart message; large buffers are handed over, not copied.

    Parameters
    ----------
    flags : int
        ``zmq.NOBLOCK``: raise ``zmq.Again``, and send nothing, if there is nobody to send it to.
    """
    last = len(frames) - 1
    for at, frame in enumerate(frames):
        more = zmq.SNDMORE if at < last else 0
        try:
            socket.send(frame, more | flags, copy=len(frame) < NO_COPY)
        except zmq.Again:
            if 0 < at < last:
                # The connection broke. ZeroMQ drops what follows, up to the end of the message:
                # say where that is, or it is the end of the next one.
                socket.send(b"", flags)
            raise


def require_peers(*routers: zmq.Socket[bytes]) -> None:
    """Have these ROUTERs complain of a message to somebody who is gone, for `send_if_there`.

    They would drop it.
    """
    for router in routers:
        router.setsockopt(zmq.ROUTER_MANDATORY, 1)


def send_if_there(socket: zmq.Socket[bytes], frames: list[Any]) -> bool:
    """Like `send`, on a ROUTER of `require_peers`; False if nobody of that name is there."""
    try:
        send(socket, frames)
    except zmq.ZMQError as e:
        if e.errno != zmq.EHOSTUNREACH:
            raise
        return False
    return True


def send_tracked(
    socket: zmq.Socket[bytes], frames: list[Any], flags: int = 0
) -> zmq.MessageTracker:
    """Like `send`; tells when ZeroMQ does not need the memory of the large buffers any more."""
    frames, tracker = tracked(frames)
    send(socket, frames, flags)
    return tracker


def tracked(frames: list[Any]) -> tuple[list[Any], zmq.MessageTracker]:
    """The same frames, to be sent at any time, and what tells when they were."""
    kept = [
        frame if len(frame) < NO_COPY else zmq.Frame(frame, track=True, copy=False)
        for frame in frames
    ]
    return kept, zmq.MessageTracker(*(frame for frame in kept if isinstance(frame, zmq.Frame)))
