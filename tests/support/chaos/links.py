"""A network that can be frozen and broken, between a controller on this host and its peers.

It listens on another loopback address, at the controller's own port numbers: a connection file
leads through it when its interface is changed, and nothing else.
"""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from contextlib import suppress
from pathlib import Path
from typing import Any

_CHUNK = 1 << 16

#: Keys of connection files that are not ports although they are numbers.
_CHANNELS = ("registration", "control", "mux", "task", "iopub", "hb_ping", "hb_pong")
_MORE_CHANNELS = ("notification", "broadcast")


class Link:
    """The network of one connection file.

    Parameters
    ----------
    file : Path
        A connection file of a controller that listens on 127.0.0.1.
    address : str
        Another loopback address, such as ``127.0.0.2``; no other link may use it.

    Attributes
    ----------
    file : Path
        The connection file that leads through this link.
    """

    def __init__(self, file: Path, address: str) -> None:
        info = json.loads(file.read_text())
        self._address = address
        self._pairs: set[tuple[asyncio.StreamWriter, asyncio.StreamWriter]] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name=f"link {address}", daemon=True)
        self._thread.start()
        self._do(self._listen, list(_ports(info)))
        self.file = file.with_name(f"{file.stem}-{address}.json")
        self.file.write_text(json.dumps({**info, "interface": f"tcp://{address}"}))

    def freeze(self) -> None:
        """Let nothing through; nothing is lost, and no end notices."""
        self._loop.call_soon_threadsafe(self._flowing.clear)

    def thaw(self) -> None:
        """Let through what waited, and what comes."""
        self._loop.call_soon_threadsafe(self._flowing.set)

    def drop(self) -> None:
        """Reset all connections; what was on its way is lost. New ones may be made at once."""
        self._loop.call_soon_threadsafe(self._drop)

    def close(self) -> None:
        """End it."""
        self._do(self._close)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _run(self) -> None:
        self._flowing = asyncio.Event()
        self._flowing.set()
        self._loop.run_forever()

    def _do(self, what: Callable[..., Any], *args: Any) -> None:
        future: Future[None] = asyncio.run_coroutine_threadsafe(what(*args), self._loop)
        future.result(10)

    async def _listen(self, ports: Iterable[int]) -> None:
        self._servers = [
            await asyncio.start_server(
                lambda r, w, port=port: self._serve(r, w, port), self._address, port
            )
            for port in ports
        ]

    async def _serve(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, port: int
    ) -> None:
        await self._flowing.wait()
        try:
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            writer.transport.abort()
            return
        pair = (writer, far_writer)
        self._pairs.add(pair)
        with suppress(OSError):
            ways = [(reader, far_writer), (far_reader, writer)]
            tasks = [asyncio.create_task(self._pump(*way)) for way in ways]
            _, left = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in left:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        self._pairs.discard(pair)
        for end in pair:
            end.transport.abort() if end.is_closing() else end.close()

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(_CHUNK):
            await self._flowing.wait()
            writer.write(data)
            await writer.drain()

    def _drop(self) -> None:
        for pair in self._pairs:
            for end in pair:
                end.transport.abort()

    async def _close(self) -> None:
        self._flowing.set()
        for server in self._servers:
            server.close()
        self._drop()
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _ports(info: dict[str, Any]) -> Iterable[int]:
    for channel in (*_CHANNELS, *_MORE_CHANNELS):
        value = info.get(channel, [])
        yield from value if isinstance(value, list) else [value]
