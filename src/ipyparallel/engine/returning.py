"""An engine registers again: its controller has given it up, or was started again.

This is done in the control thread, since the main thread may be busy with a task for long, which is
to go on all the while.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Any

import zmq

from ..error import unwrap_exception
from ..protocol.messages import UNREADABLE, RegistrationReply, RegistrationRequest
from ..protocol.session import Session
from ..transport.channel import Channel
from ..transport.sockets import new_socket

#: Seconds that the controller has to answer; it asks again if this was in vain.
_TIMEOUT = 10.0


class Return:
    """Registers an engine again when it is asked to.

    Parameters
    ----------
    url : str
        Address of the controller's registration channel.
    request : callable
        Gives the request, with what the engine holds.
    returned : callable
        Told the answer.
    """

    def __init__(
        self,
        context: zmq.Context[zmq.Socket[bytes]],
        session: Session,
        url: str,
        *,
        request: Callable[[], RegistrationRequest],
        returned: Callable[[RegistrationReply], None],
        loop: asyncio.AbstractEventLoop,
        log: logging.Logger,
    ) -> None:
        self._context = context
        self._session = session
        self._url = url
        self._request = request
        self._returned = returned
        self._loop = loop
        self._log = log
        self._channel: Channel | None = None
        self._timeout: asyncio.TimerHandle | None = None

    def begin(self) -> None:
        """Register; once more, if that is on its way: who was asked may have died meanwhile."""
        self.close()
        # a connection of its own: the one from the beginning may not know yet that it is broken
        socket = new_socket(self._context, zmq.DEALER)
        socket.connect(self._url)
        self._channel = Channel(socket, self._on_reply, self._loop)
        self._channel.send(self._session.message("registration_request", self._request()))
        self._timeout = self._loop.call_later(_TIMEOUT, self.close)

    def close(self) -> None:
        """Wait for no answer any more."""
        if self._timeout is not None:
            self._timeout.cancel()
        if self._channel is not None:
            self._channel.close()
            self._channel = None

    def _on_reply(self, frames: list[Any]) -> None:
        try:
            message = self._session.parse(frames)
            content = message.content()
            if content.get("status") == "ok":
                self._returned(message.read_content(RegistrationReply))
            else:
                raise ValueError(f"the controller refused this engine: {_reason(content)}")
        except (*UNREADABLE, AttributeError) as e:
            self._log.warning("Cannot come back: %s", e)
        self.close()


def _reason(content: Any) -> object:
    try:
        return unwrap_exception(content)
    except (KeyError, TypeError, ValueError):
        return "?"
