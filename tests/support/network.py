"""A network between a controller and its engines that can be cut, and comes back."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec

from ipyparallel.protocol.connection import EngineInfo, read_info, write_info

#: What of an engine's file are ports that it connects to.
_PORTS = ("registration", "control", "mux", "task", "iopub", "hb_ping", "hb_pong")


class Link:
    """One connection: two streams, and what passes between them."""

    def __init__(self, network: Network, inner: Any, outer: Any) -> None:
        self._network = network
        self._writers = (inner[1], outer[1])
        self._tasks = [
            asyncio.ensure_future(self._pump(inner[0], outer[1])),
            asyncio.ensure_future(self._pump(outer[0], inner[1])),
        ]

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while data := await reader.read(1 << 16):
                await self._network.open.wait()
                if self._network.lossy:
                    break
                writer.write(data)
                await writer.drain()
        self.abort()

    def abort(self) -> None:
        """Break it; what is in it is lost."""
        for writer in self._writers:
            writer.transport.abort()
        self._network.links.discard(self)

    def end(self) -> None:
        self.abort()
        for task in self._tasks:
            task.cancel()


class Network:
    """Passes on what engines send to a controller, and back.

    Parameters
    ----------
    engine_file : Path
        The controller's file for engines.
    folder : Path
        Gets the file that leads engines through this network.
    """

    def __init__(self, engine_file: Path, folder: Path) -> None:
        self._info = read_info(engine_file, EngineInfo)
        self.links: set[Link] = set()
        #: Whether connections that are cut are lost, and not only held up.
        self.lossy = False
        self._ready = threading.Event()
        self._thread = threading.Thread(target=asyncio.run, args=(self._run(),), daemon=True)
        self._thread.start()
        assert self._ready.wait(10)
        folder.mkdir(exist_ok=True)
        self.engine_file = folder / "through-network.json"
        write_info(self.engine_file, msgspec.structs.replace(self._info, **self._ports))

    def _call(self, what: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(what, self._loop).result(10)

    async def _run(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._closed = asyncio.Event()
        self.open = asyncio.Event()
        self.open.set()
        self._ports = {}
        servers = []
        for name in _PORTS:
            server = await asyncio.start_server(
                self._accept(getattr(self._info, name)), "127.0.0.1"
            )
            servers.append(server)
            self._ports[name] = server.sockets[0].getsockname()[1]
        self._ready.set()
        await self._closed.wait()
        for server in servers:
            server.close()
        await self._break()

    def _accept(self, port: int) -> Callable[..., Coroutine[Any, Any, None]]:
        async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            if self.lossy and not self.open.is_set():
                writer.transport.abort()
                return
            await self.open.wait()
            try:
                outer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                writer.transport.abort()
                return
            self.links.add(Link(self, (reader, writer), outer))

        return accept

    def freeze(self) -> None:
        """Nothing passes; it will when the network is back."""
        self._call(self._set(False, False))

    def cut(self, quietly: bool = False) -> None:
        """Connections break, with what is in them, and there are no new ones.

        Parameters
        ----------
        quietly : bool
            Whether this shows only when the network is back: until then, nothing passes.
        """
        self._call(self._set(False, True))
        if not quietly:
            self._call(self._break())

    def restore(self) -> None:
        """The network is back."""
        if self.lossy:
            self._call(self._break())
        self._call(self._set(True, False))

    async def _set(self, is_open: bool, lossy: bool) -> None:
        self.lossy = lossy
        if is_open:
            self.open.set()
        else:
            self.open.clear()

    async def _break(self) -> None:
        for link in list(self.links):
            link.end()

    def close(self) -> None:
        """Break everything, for good."""
        self._loop.call_soon_threadsafe(self._closed.set)
        self._thread.join()
