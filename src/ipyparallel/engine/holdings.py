"""What an engine holds, and what it has answered: told to who lost the connection to it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from ..protocol.holding import HoldingReply, HoldingRequest
from ..protocol.kept_replies import KeptReplies
from ..protocol.messages import UNREADABLE, decode_request_metadata
from ..protocol.session import Message, Session

#: Sends a message.
Send = Callable[[list[Any]], None]


def answer(
    message: Message,
    session: Session,
    send: Send,
    *,
    held: list[str],
    kept: KeptReplies,
    has_begun: Callable[[str], bool],
) -> None:
    """Answer a ``holding_request``.

    Parameters
    ----------
    held : list of str
        What is held that came on the same channel.
    kept : KeptReplies
        The last replies on this channel; those that are asked for are sent again.
    has_begun : callable
        Whether a request of that name has ever begun.

    Raises
    ------
    ValueError
        The request is malformed.
    """
    asked = message.read_content(HoldingRequest).msg_ids
    holding = set(held)
    reply = HoldingReply(held)
    for name in asked:
        if name in holding:
            continue
        frames = kept.get(name)
        if frames is not None:
            send(signed_again(session, frames))
        elif has_begun(name):
            reply.lost.append(name)
        else:
            reply.missing.append(name)
    frames = session.message("holding_reply", reply, parent=message.header_frame)
    send([*message.idents, *frames])


def name_of(message: Message, balanced: bool) -> str:
    """How a request is called by who has sent it: a balanced one as it was sent."""
    if not balanced or b'"sending"' not in message.metadata_frame:
        return message.header.msg_id  # most were not sent before, which is seen faster so
    try:
        return decode_request_metadata(message.metadata_frame).sending or message.header.msg_id
    except UNREADABLE:
        return message.header.msg_id


def names_of(messages: Iterable[Message], balanced: bool) -> list[str]:
    """See `name_of`."""
    return [name_of(message, balanced) for message in messages]


def signed_again(session: Session, frames: list[Any]) -> list[Any]:
    """The same reply with a signature of its own: it may have arrived, which would make this one a
    repeated message, and those are taken for forgeries.
    """
    message = session.parse(frames, fresh=False)
    again = session.frame(
        session.header(message.header.msg_type),
        message.content_frame,
        parent=message.parent_frame,
        metadata=message.metadata_frame,
        buffers=message.buffers,
        compact=message.compact,
    )
    return [*message.idents, *again]
