"""A network between a controller on this host and its peers, which can be as bad as real ones.

It listens on another loopback address, at the controller's own port numbers: a connection file
leads through it when its interface is changed, and nothing else.
"""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any, NamedTuple

_CHUNK = 1 << 16

#: Keys of connection files that are ports, or lists of ports.
_CHANNELS = (
    "registration",
    "control",
    "mux",
    "task",
    "iopub",
    "hb_ping",
    "hb_pong",
    "notification",
    "broadcast",
)


class End(NamedTuple):
    """One end of a connection."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    def abort(self) -> None:
        """Break it; nothing that is in it arrives."""
        self.writer.transport.abort()


class Network:
    """Passes connections on to a controller, and what is said on them, until it is told otherwise.

    Parameters
    ----------
    file : Path
        A connection file of a controller that listens on 127.0.0.1.
    address : str
        Another loopback address, which no other network of this controller uses.

    Attributes
    ----------
    file : Path
        The connection file that leads through this network.
    """

    def __init__(self, file: Path, address: str = "127.0.0.2") -> None:
        info = json.loads(file.read_text())
        self._links: set[asyncio.Task[None]] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name=f"network {address}", daemon=True)
        self._thread.start()
        self._do(self._listen(address, list(_ports(info))))
        self.file = file.with_name(f"{file.stem}-{address}.json")
        self.file.write_text(json.dumps({**info, "interface": f"tcp://{address}"}))

    # ---- troubles; each has begun when it returns

    def freeze(self) -> None:
        """From now on all is held up; nothing is lost."""
        self._do(self._set(flows=False))

    def swallow(self) -> None:
        """From now on nothing arrives, and nobody notices, until the network is mended."""
        self._do(self._set(swallows=True))

    def cut(self) -> None:
        """Break all connections; new ones break at once."""
        self._do(self._cut())

    def drop(self) -> None:
        """Break all connections; new ones may be made."""
        self._do(self._drop())

    def mend(self) -> None:
        """All passes again; connections break of which something was swallowed."""
        if self._swallows:
            self.cut()
        self._do(self._set())

    def close(self) -> None:
        """End it."""
        self._do(self._close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    # ---- in its own thread

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._flows = asyncio.Event()
        self._flows.set()
        self._swallows = self._is_cut = False
        self._loop.run_forever()

    def _do(self, what: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(what, self._loop).result(10)

    async def _set(
        self, *, flows: bool = True, swallows: bool = False, is_cut: bool = False
    ) -> None:
        self._swallows, self._is_cut = swallows, is_cut
        (self._flows.set if flows else self._flows.clear)()

    async def _listen(self, address: str, ports: list[int]) -> None:
        self._servers = [
            await asyncio.start_server(self._accept(port), address, port) for port in ports
        ]

    def _accept(self, port: int) -> Callable[..., None]:
        def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            near = End(reader, writer)
            link = self._loop.create_task(self._link(near, port))
            self._links.add(link)
            # not by the task itself, which may be cancelled before it has begun
            link.add_done_callback(lambda _: near.abort())
            link.add_done_callback(self._links.discard)

        return accept

    async def _link(self, near: End, port: int) -> None:
        """Pass on what comes from either end, until both are closed, or one of them breaks."""
        await self._flows.wait()
        if self._is_cut:
            return
        try:
            far = End(*await asyncio.open_connection("127.0.0.1", port))
        except OSError:
            return
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._pump(near, far))
                group.create_task(self._pump(far, near))
        except* OSError:
            pass
        finally:
            far.abort()

    async def _pump(self, source: End, to: End) -> None:
        while data := await source.reader.read(_CHUNK):
            await self._flows.wait()
            if not (self._swallows or self._is_cut):
                to.writer.write(data)
                await to.writer.drain()
        await self._flows.wait()
        if not self._swallows:
            to.writer.write_eof()

    async def _cut(self) -> None:
        await self._set(is_cut=True)
        await self._drop()

    async def _drop(self) -> None:
        links = list(self._links)
        for link in links:
            link.cancel()
        await asyncio.gather(*links, return_exceptions=True)

    async def _close(self) -> None:
        for server in self._servers:
            server.close()
        # connections that are being accepted, too
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _ports(info: dict[str, Any]) -> Iterator[int]:
    for channel in _CHANNELS:
        value = info.get(channel, [])
        yield from value if isinstance(value, list) else [value]
