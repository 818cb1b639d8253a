"""Messages are read though ZeroMQ gives a sign only once."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

import pytest
import zmq

from ipyparallel.transport.channel import Channel


def send_to_nobody(channel: Channel) -> None:
    assert not channel.send_if_there([b"nobody", b"x"])


def send_to_somebody(channel: Channel) -> None:
    assert channel.send_if_there([b"peer", b"x"])


async def exchange(send: Callable[[Channel], None]) -> None:
    received: asyncio.Queue[list[bytes]] = asyncio.Queue()
    with zmq.Context() as context, context.socket(zmq.DEALER) as peer:
        router = context.socket(zmq.ROUTER)
        router.setsockopt(zmq.ROUTER_MANDATORY, 1)
        router.bind("inproc://channel")
        peer.setsockopt(zmq.IDENTITY, b"peer")
        peer.connect("inproc://channel")
        channel = Channel(router, received.put_nowait)
        try:
            for number in (b"%d" % n for n in range(20)):
                # nobody reads meanwhile; and who sends looks what has come, if a while has passed
                peer.send(number)
                time.sleep(0.005)
                send(channel)
                assert await asyncio.wait_for(received.get(), 20) == [b"peer", number]
                await asyncio.sleep(0)
        finally:
            channel.close()


@pytest.mark.parametrize("send", [send_to_nobody, send_to_somebody])
def test_what_comes_while_something_is_sent_is_read(send: Callable[[Channel], None]) -> None:
    asyncio.run(exchange(send))
