"""A peer that says whatever it likes: plain sockets, and the cluster's key to sign with, or not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import zmq

from ipyparallel.protocol.connection import ClientInfo, EngineInfo, read_info
from ipyparallel.protocol.framing import COMPACT, pack_compact
from ipyparallel.protocol.messages import encode
from ipyparallel.protocol.session import Message, Session, new_id
from ipyparallel.transport.sockets import HUB

Frames = list[bytes]


class Raw:
    """Makes sockets to a controller and closes them; signs in the name of its own session."""

    def __init__(self, client_file: Path, engine_file: Path) -> None:
        self.client = read_info(client_file, ClientInfo)
        self.engine = read_info(engine_file, EngineInfo)
        self.session = Session(self.client.key.encode())
        self.context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()

    def connect(self, port: int, identity: bytes = b"") -> zmq.Socket[bytes]:
        """A DEALER connected to a channel."""
        socket = self.context.socket(zmq.DEALER)
        if identity:
            socket.setsockopt(zmq.IDENTITY, identity)
        socket.connect(self.client.url(port))
        return socket

    def read(self, socket: zmq.Socket[bytes], timeout: float = 30.0) -> Message:
        """The next message that comes; it must be a good one."""
        assert socket.poll(int(timeout * 1000)), f"nothing came within {timeout:g} s"
        return self.session.parse(socket.recv_multipart())

    def close(self) -> None:
        """Close all sockets, at once."""
        self.context.destroy(linger=0)


@dataclass(frozen=True)
class Forgery:
    """What makes a bad message of a good one, and what is said of it when it is dropped.

    `make` gets a session that has the key, and the frames of a good message from the delimiter on.
    """

    name: str
    make: Callable[[Session, Frames], Frames]
    said: str

    def __str__(self) -> str:
        return self.name


def resign(session: Session, frames: Frames, place: int, frame: bytes) -> Frames:
    """The message with another frame in a place after the delimiter, signed again."""
    changed = list(frames)
    changed[place] = frame
    changed[1] = session.sign(*changed[2:6])
    return changed


#: A text that is not UTF-8, in the place of a string.
NOT_UTF8 = b'"\xff\xfe"'

#: Nested deeper than any reader follows.
DEEP = b'{"deep": ' + b"[" * 100_000 + b"]" * 100_000 + b"}"

HEADER, PARENT, METADATA, CONTENT = 2, 3, 4, 5

_WRONG = "wrong signature"


def _headers() -> list[Forgery]:
    bad = {
        "not json": b"header",
        "empty": b"",
        "a list": b"[]",
        "nothing in it": b"{}",
        "id is a number": b'{"msg_id": 5, "msg_type": "x"}',
        "not utf-8": b'{"msg_id": ' + NOT_UTF8 + b', "msg_type": "x"}',
        "deep": DEEP[:-1] + b', "msg_id": "x", "msg_type": "x"}',
    }

    def replacing(frame: bytes) -> Callable[[Session, Frames], Frames]:
        # other metadata each time, or the second of them would count as a repeated message
        return lambda session, good: resign(
            session, resign(session, good, METADATA, encode({"n": new_id()})), HEADER, frame
        )

    return [
        Forgery(f"signed header: {name}", replacing(frame), "malformed header")
        for name, frame in bad.items()
    ]


def _compact() -> list[Forgery]:
    """The same message in one frame, as peers of this package send it."""

    def pack(good: Frames, signature: bytes | None = None) -> Frames:
        parts = (good[2], good[3], good[4], good[5])
        return pack_compact(good[1] if signature is None else signature, parts, good[6:])

    def changed(change: Callable[[bytes], bytes]) -> Callable[[Session, Frames], Frames]:
        def make(_: Session, good: Frames) -> Frames:
            frame, *rest = pack(good)
            return [change(frame), *rest]

        return make

    def many_inside(frame: bytes) -> bytes:
        at = len(COMPACT) + 1 + 4 * 4  # the number of buffers inside
        return frame[:at] + b"\xff" + frame[at + 1 :]

    return [
        Forgery("compact: wrong signature", lambda _, good: pack(good, b"0" * 64), _WRONG),
        Forgery("compact: no signature", lambda _, good: pack(good, b""), "not signed"),
        Forgery("compact: marker only", changed(lambda frame: frame[: len(COMPACT)]), "truncated"),
        Forgery("compact: cut in its head", changed(lambda frame: frame[:15]), "truncated"),
        Forgery("compact: cut in its parts", changed(lambda frame: frame[:200]), "truncated"),
        Forgery("compact: last byte cut", changed(lambda frame: frame[:-1]), "truncated"),
        Forgery("compact: a byte too many", changed(lambda frame: frame + b"x"), "truncated"),
        Forgery("compact: too many buffers", changed(many_inside), "truncated"),
    ]


#: Messages that no channel takes.
FORGERIES = [
    Forgery("wrong signature", lambda _, good: [good[0], b"0" * 64, *good[2:]], _WRONG),
    Forgery("signature not hex", lambda _, good: [good[0], b"\xff\x00", *good[2:]], _WRONG),
    Forgery(
        "key of another cluster",
        lambda _, good: [good[0], Session(b"another").sign(*good[2:6]), *good[2:]],
        _WRONG,
    ),
    Forgery("content exchanged", lambda _, good: [*good[:5], b'{"a":1}', *good[6:]], _WRONG),
    Forgery("frames exchanged", lambda _, good: [*good[:3], good[4], good[2], good[5]], _WRONG),
    Forgery("no signature", lambda _, good: [good[0], b"", *good[2:]], "not signed"),
    *(
        Forgery(f"cut after {n} frames", lambda _, good, n=n: good[: n + 1], "truncated")
        for n in range(5)
    ),
    Forgery("no delimiter", lambda _, good: good[1:], "no delimiter"),
    Forgery("foreign text", lambda _, good: [b"GET / HTTP/1.1", b"Host: here"], "no delimiter"),
    Forgery("foreign bytes", lambda _, good: [bytes(range(256)) * 100], "no delimiter"),
    Forgery("an empty frame", lambda _, good: [b""], "no delimiter"),
    Forgery("many frames", lambda _, good: [b"x"] * 1000, "no delimiter"),
    *_headers(),
    *_compact(),
]

#: A bad text in every place where a reader may look for one; the rest is skipped unread.
_NOT_UTF8 = b"{%s}" % b",".join(
    [
        *(b'"%s": %s' % (name, NOT_UTF8) for name in (b"token", b"uuid", b"msg_id", b"label")),
        *(b'"%s": [%s]' % (name, NOT_UTF8) for name in (b"targets", b"returned")),
    ]
)

#: What is no JSON object, or none that can be read.
UNREADABLE = {
    "not json": b"{",
    "empty": b"",
    "not utf-8": _NOT_UTF8,
    "deep": DEEP,
    "a list": b"[]",
    "null": b"null",
}


class FakeEngine:
    """An engine that registers, takes tasks, and answers what a test has it answer.

    Parameters
    ----------
    **registration
        More for its registration.
    """

    def __init__(self, raw: Raw, **registration: Any) -> None:
        self.raw = raw
        self.uuid = new_id()
        identity = self.uuid.encode()
        self.query = raw.connect(raw.engine.registration, identity)
        self.mux = raw.connect(raw.engine.mux, identity)
        self.task = raw.connect(raw.engine.task, identity)
        self.control = raw.connect(raw.engine.control, identity)
        message = raw.session.message
        content = {"uuid": self.uuid, "reports_ready": True, **registration}
        self.query.send_multipart(message("registration_request", content))
        self.id = raw.read(self.query).content()["id"]
        self.mux.send_multipart([HUB, *message("engine_ready")])
        self.control.send_multipart([HUB, *message("engine_ready")])
        self.task.send_multipart(message("engine_ready"))

    def close(self) -> None:
        content = {"uuid": self.uuid}
        self.query.send_multipart(self.raw.session.message("unregistration_request", content))
        for socket in (self.query, self.mux, self.task, self.control):
            socket.close(linger=1000)


def reply_to(fake: FakeEngine, request: Any, metadata: dict[str, Any] | None = None) -> Frames:
    """A good reply, which gives the reason for which the task failed."""
    metadata = {"status": "error", "engine": fake.uuid, **(metadata or {})}
    content = {"status": "error", "ename": "Answer", "evalue": "from afar", "traceback": []}
    return fake.raw.session.message(
        "apply_reply", content, parent=request.header_frame, metadata=metadata
    )
