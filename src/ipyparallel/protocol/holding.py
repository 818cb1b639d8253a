"""What an engine holds: asked after a connection broke, since what was on its way is lost.

The one who sent requests to an engine asks, on the same channel, what became of those that have no
reply yet. All that was sent before has arrived by then, or never will. The engine sends the replies
of these once more, as far as it has kept them, and then says which are missing. All of it is an
extension of this package.
"""

from __future__ import annotations

import msgspec


class HoldingRequest(msgspec.Struct):
    """``holding_request``: which of these requests do you hold? Balanced ones as they were sent."""

    msg_ids: list[str] = []


class HoldingReply(msgspec.Struct):
    """``holding_reply``, behind the replies that were sent again."""

    #: All that the engine holds of this channel, asked for or not.
    holding: list[str] = []
    #: Of those asked for: which never came.
    missing: list[str] = []
    #: Of those asked for: which were answered, by replies that are not kept any more.
    lost: list[str] = []
