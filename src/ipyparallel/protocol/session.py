"""The session: messages to frames, signed, and back, verified.

A message has a header, a parent header, metadata, content and buffers. The first four are JSON,
encoded once by who makes them and decoded only by who needs them; a reply carries its request's
header as the very bytes that came. How they lie in frames is the matter of `framing`.
"""

from __future__ import annotations

import getpass
import hmac
import os
import uuid
from array import array
from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import count
from typing import Any

import msgspec

from .framing import Frame, InvalidMessage, pack_compact, pack_full, unpack
from .messages import (
    EMPTY,
    PROTOCOL_VERSION,
    UNREADABLE,
    Header,
    ParentHeader,
    decode_header,
    decode_parent,
)
from .messages import encode as encode_json


class Message:
    """A verified message; its JSON frames are decoded when they are asked for."""

    __slots__ = (
        "buffers",
        "compact",
        "content_frame",
        "header",
        "header_frame",
        "idents",
        "metadata_frame",
        "parent_frame",
    )

    def __init__(
        self,
        idents: list[bytes],
        header: Header,
        header_frame: bytes,
        parent_frame: bytes,
        metadata_frame: bytes,
        content_frame: bytes,
        buffers: list[Frame],
        compact: bool = False,
    ) -> None:
        self.idents = idents
        self.header = header
        self.header_frame = header_frame
        self.parent_frame = parent_frame
        self.metadata_frame = metadata_frame
        self.content_frame = content_frame
        self.buffers = buffers
        #: Whether it came as a compact message; its sender can read one, too.
        self.compact = compact

    @property
    def parent(self) -> ParentHeader:
        """The parent header; empty fields when the message answers nothing."""
        return decode_parent(self.parent_frame)

    def content(self) -> Any:
        """The content as dicts and lists."""
        return msgspec.json.decode(self.content_frame)

    def metadata(self) -> Any:
        """The metadata as dicts and lists."""
        return msgspec.json.decode(self.metadata_frame)

    def as_dict(self) -> dict[str, Any]:
        """The message in the form that Jupyter's own code has it.

        Raises
        ------
        ValueError, RecursionError
            It is malformed.
        """
        header = msgspec.json.decode(self.header_frame)
        return {
            "header": header,
            "msg_id": self.header.msg_id,
            "msg_type": self.header.msg_type,
            "parent_header": msgspec.json.decode(self.parent_frame),
            "metadata": self.metadata(),
            "content": self.content(),
            "buffers": [memoryview(buffer) for buffer in self.buffers],
        }

    def read_content(self, kind: type[Any]) -> Any:
        """The content as a struct of the type `kind`; ValueError names what is wrong with it."""
        try:
            return msgspec.json.decode(self.content_frame, type=kind)
        except UNREADABLE as e:
            raise ValueError(f"content of {self.header.msg_type} is malformed: {e}") from None


class SeenSignatures:
    """Remembers recent signatures in constant memory, to recognise a repeated message.

    A table of 64-bit tags, each of which overwrites the last one at its place: the most recent
    ones are found surely, older ones ever less probably. A set of all of them would grow with the
    number of messages.
    """

    __slots__ = ("_mask", "_tags")

    def __init__(self, bits: int = 14) -> None:
        self._tags = array("Q", bytes(8 << bits))
        self._mask = (1 << bits) - 1

    def check(self, signature: bytes) -> bool:
        """Whether `signature` (hexadecimal) was seen before; from now on it was."""
        tag = int(signature[:16], 16)
        place = tag & self._mask
        if self._tags[place] == tag:
            return True
        self._tags[place] = tag
        return False


class Session:
    """Makes and reads the messages of one participant.

    Parameters
    ----------
    key : bytes
        Shared secret of the cluster. Empty: messages are neither signed nor verified (only where
        the transport itself authenticates).
    session_id : str, optional
        Name of the participant. An engine's is its uuid.
    signature_scheme : str
        ``hmac-<name of a hash in hashlib>``.
    username : str, optional
        Put in headers.

    Not thread-safe, but for `frame`, which any thread may call.
    """

    def __init__(
        self,
        key: bytes,
        *,
        session_id: str | None = None,
        signature_scheme: str = "hmac-sha256",
        username: str | None = None,
    ) -> None:
        kind, _, digest = signature_scheme.partition("-")
        if kind != "hmac" or not digest:
            raise ValueError(f"signature scheme must be 'hmac-<hash>', not {signature_scheme!r}")
        # The state that the key alone leads to; each signature begins with a copy of it. Unlike
        # the one-shot `hmac.digest` this is done under the GIL, for messages of usual length:
        # letting it go and getting it back from a busy thread takes longer than the hashing.
        self._keyed = hmac.new(key, digestmod=digest)
        self.key = key
        self.signature_scheme = signature_scheme
        self.session_id = session_id if session_id is not None else new_id()
        self.username = username if username is not None else _user()
        self._seen = SeenSignatures()
        self._counter = count()
        self._prefix = f"{self.session_id}_{os.getpid()}_"

    @property
    def id_prefix(self) -> str:
        """What all message ids of this session begin with; a number follows."""
        return self._prefix

    def header(self, msg_type: str) -> Header:
        """A new header, with the next message id and the present date."""
        return Header(
            f"{self._prefix}{next(self._counter)}",
            msg_type,
            self.username,
            self.session_id,
            utc_date(),
            PROTOCOL_VERSION,
        )

    def sign(self, header: bytes, parent: bytes, metadata: bytes, content: bytes) -> bytes:
        """The signature of four frames, in hexadecimal; empty when there is no key."""
        if not self.key:
            return b""
        signature = self._keyed.copy()
        signature.update(b"".join((header, parent, metadata, content)))
        return signature.hexdigest().encode()

    def frame(
        self,
        header: Header,
        content: Any = None,
        *,
        parent: bytes = EMPTY,
        metadata: Any = None,
        buffers: Sequence[Frame] = (),
        compact: bool = False,
    ) -> list[Frame]:
        """The frames of a message, without identities.

        Parameters
        ----------
        header : Header
            From `header`.
        content, metadata : bytes, struct or dict, optional
            Bytes are taken as JSON already encoded.
        parent : bytes
            The header frame of the request that this answers.
        buffers : sequence of buffers
            Appended as they are; not signed.
        compact : bool
            Whether it is for a peer of this package; see `framing`.
        """
        parts = (encode_json(header), parent, _json_frame(metadata), _json_frame(content))
        pack = pack_compact if compact else pack_full
        return pack(self.sign(*parts), parts, buffers)

    def message(self, msg_type: str, content: Any = None, **options: Any) -> list[Frame]:
        """Like `frame`, with a new header of the type `msg_type`."""
        return self.frame(self.header(msg_type), content, **options)

    def parse(self, frames: list[Frame], *, fresh: bool = True) -> Message:
        """Verify the frames of a message and take them apart.

        Parameters
        ----------
        frames : list of bytes
            As received, identities included. Buffers may be anything.
        fresh : bool
            Reject a message whose signature was seen before. False where several readers share
            this session's memory and each is given every message.

        Raises
        ------
        InvalidMessage
            Not a message, or not one of this cluster, or one that came before.
        """
        idents, signature, parts, buffers, compact = unpack(frames)
        if self.key:
            if not signature:
                raise InvalidMessage("not signed")
            if not hmac.compare_digest(self.sign(*parts), signature):
                raise InvalidMessage("wrong signature: the sender does not have this cluster's key")
            if fresh and self._seen.check(signature):
                raise InvalidMessage("repeated: a message of this signature came before")
        try:
            header = decode_header(parts[0])
        except UNREADABLE as e:
            raise InvalidMessage(f"malformed header: {e}") from None
        return Message(idents, header, *parts, buffers, compact)


def _json_frame(obj: Any) -> bytes:
    if obj is None:
        return EMPTY
    if isinstance(obj, bytes):
        return obj
    return encode_json(obj)


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):
        # a container may run as a user that has no name
        return "username"


def new_id() -> str:
    """A random id of the form that sessions and engines use: 8 and 24 hexadecimal digits."""
    text = uuid.uuid4().hex
    return f"{text[:8]}-{text[8:]}"


def new_key() -> str:
    """A random shared secret."""
    return new_id()


def utc_date() -> str:
    """The present, ISO 8601 in UTC with microseconds, ending in ``Z``."""
    return datetime.now(UTC).isoformat(timespec="microseconds")[:-6] + "Z"


def parse_date(text: str) -> datetime:
    """The moment that a date of a message names, aware; dates without a zone are UTC."""
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
