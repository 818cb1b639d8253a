"""A scheduler of dask in the controller, for engines that are workers of it for a while.

distributed is imported when a client asks for it, in a thread: it takes a second or so.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from importlib import import_module
from typing import Any

from ..error import wrap_exception

#: Seconds that the scheduler has to stop when the controller ends.
_CLOSING = 3.0

#: Sends a reply: its type, its content.
Reply = Callable[[str, Any], object]


class DaskScheduler:
    """At most one scheduler, started and stopped on request.

    Parameters
    ----------
    interface : str
        Where the controller listens; the scheduler does so, too.
    """

    def __init__(self, interface: str, log: logging.Logger) -> None:
        self._host = _host(interface)
        self._log = log
        self._scheduler: Any = None
        self._lock = asyncio.Lock()
        self._tasks: set[asyncio.Task[None]] = set()

    def answer_start(self, options: Mapping[str, Any], reply: Reply) -> None:
        """Start it, unless it runs, and tell where it is.

        Parameters
        ----------
        options : mapping
            Arguments of ``distributed.Scheduler``.
        """
        self._answer("become_dask_reply", self._start(options), reply)

    def answer_stop(self, reply: Reply) -> None:
        """Stop it, if it runs."""
        self._answer("stop_distributed_reply", self.stop(), reply)

    def _answer(self, msg_type: str, work: Awaitable[dict[str, Any]], reply: Reply) -> None:
        async def answer() -> None:
            try:
                content = await work
            except Exception as e:  # noqa: BLE001  (whatever it was, there must be a reply)
                self._log.warning("Refused what was asked of dask: %s", e)
                reply("hub_error", wrap_exception())
            else:
                reply(msg_type, {"status": "ok", **content})

        task = asyncio.get_running_loop().create_task(answer())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _start(self, options: Mapping[str, Any]) -> dict[str, Any]:
        async with self._lock:
            started = self._scheduler is None
            if started:
                self._scheduler = await self._new(options)
                self._log.info("A scheduler of dask listens on %s", self._scheduler.address)
            elif options.get("port") not in (None, 0, self._scheduler.port):
                raise ValueError(
                    f"a scheduler of dask runs here already, on port {self._scheduler.port};"
                    " to have it on another one, call stop_dask() first"
                )
            return {
                "ip": self._scheduler.ip,
                "address": self._scheduler.address,
                "port": self._scheduler.port,
                "started": started,
            }

    async def _new(self, options: Mapping[str, Any]) -> Any:
        try:
            distributed = await asyncio.to_thread(import_module, "distributed")
        except ModuleNotFoundError as e:
            if e.name not in ("distributed", "dask"):
                raise
            raise ImportError(
                "become_dask needs dask's package distributed where the controller runs, and it"
                " cannot be imported there; install it with `pip install distributed`",
                name=e.name,
            ) from None
        return await distributed.Scheduler(**{"host": self._host, **options})

    async def stop(self) -> dict[str, Any]:
        """Stop it, if it runs; its workers end."""
        async with self._lock:
            scheduler, self._scheduler = self._scheduler, None
            if scheduler is not None:
                await scheduler.close()
        return {}

    async def close(self) -> None:
        """Stop it, in whatever state it is, since the controller ends."""
        try:
            async with asyncio.timeout(_CLOSING):
                await self.stop()
        except Exception as e:  # noqa: BLE001  (the controller has to end properly)
            self._log.warning("The scheduler of dask did not stop: %r", e)


def _host(interface: str) -> str | None:
    """What a scheduler is to listen on; None for all addresses of this host."""
    scheme, _, host = interface.partition("://")
    if scheme != "tcp":
        return "127.0.0.1"
    return None if host in ("*", "0.0.0.0") else host
