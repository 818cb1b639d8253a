"""A network between a client and a controller, which can lose what is on its way, and break."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from typing import Any

#: Channels of the clients' connection file.
CHANNELS = ("registration", "control", "mux", "task", "iopub", "notification")


class Proxy:
    """Passes TCP connections on to a controller, until it is told otherwise.

    Parameters
    ----------
    info : dict
        What the clients' connection file holds.

    Attributes
    ----------
    info : dict
        The same for clients that are to connect through this.
    """

    def __init__(self, info: dict[str, Any]) -> None:
        self._host = info["interface"].removeprefix("tcp://")
        self._targets = {name: info[name] for name in CHANNELS}
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._ports = dict.fromkeys(CHANNELS, 0)
        self._servers: dict[str, asyncio.Server] = {}
        self._writers: set[asyncio.StreamWriter] = set()
        self._swallows = False
        self._do(self._listen())
        self.info = {**info, **self._ports}

    def _do(self, what: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(what, self._loop).result(20)

    def swallow(self) -> None:
        """From now on nothing arrives any more, and nobody notices."""
        self._swallows = True

    def cut(self) -> None:
        """Break all connections, and refuse new ones."""
        self._do(self._cut())

    def mend(self) -> None:
        """Let connections through again."""
        self._do(self._listen())

    def close(self) -> None:
        """End it."""
        self.cut()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    # ---- on the loop

    async def _listen(self) -> None:
        self._swallows = False
        for name in CHANNELS:
            server = await asyncio.start_server(
                self._passer(name), "127.0.0.1", self._ports[name], reuse_address=True
            )
            self._servers[name] = server
            self._ports[name] = server.sockets[0].getsockname()[1]

    async def _cut(self) -> None:
        for server in self._servers.values():
            server.close()
        self._servers.clear()
        for writer in self._writers:
            writer.transport.abort()
        self._writers.clear()

    def _passer(self, name: str) -> Callable[..., Coroutine[Any, Any, None]]:
        async def pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            try:
                there = await asyncio.open_connection(self._host, self._targets[name])
            except OSError:
                writer.transport.abort()
                return
            self._writers.update((writer, there[1]))
            await asyncio.gather(self._pump(reader, there[1]), self._pump(there[0], writer))

        return pass_on

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(1 << 16):
                if not self._swallows:
                    writer.write(data)
                    await writer.drain()
        except OSError:
            pass
        finally:
            writer.transport.abort()
