"""Waiting until the engines are registered, or until it is clear that they will not be."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from ..error import EngineError
from .launchers.base import BaseLauncher

if TYPE_CHECKING:
    from ..client.client import Client
    from .cluster import Cluster


async def wait_until_registered(cluster: Cluster, client: Client, n: int | None = None) -> None:
    """Wait for the engines; fail as soon as the controller or an engine set stops.

    Parameters
    ----------
    cluster : Cluster
        The cluster that has been started.
    client : Client
        A client of it.
    n : int, optional
        How many engines; by default as many as were started.

    Raises
    ------
    EngineError
        Something stopped; the text ends with its output.
    TimeoutError
        Not all of them came within the cluster's `engine_timeout`.
    """
    launchers: list[BaseLauncher] = [*cluster.engines.values()]
    if n is None:
        n = sum(launcher.n for launcher in cluster.engines.values())
    if cluster.controller is not None:
        launchers.append(cluster.controller)
    registered = client.wait_for_engines(n, timeout=cluster.engine_timeout, block=False)
    # whatever its result is: a Future, a coroutine's, or None if they are there
    if registered is None:
        return
    ready: asyncio.Future[Any] = asyncio.wrap_future(registered)
    ended = {asyncio.ensure_future(launcher.join()): launcher for launcher in launchers}
    for launcher in launchers:
        launcher.log_failure = False
    try:
        await asyncio.wait([ready, *ended], return_when=asyncio.FIRST_COMPLETED)
        stopped = [launcher for future, launcher in ended.items() if future.done()]
        if stopped:
            raise EngineError(failure_text(stopped[0], "stopped before all engines were ready"))
        try:
            ready.result()
        except TimeoutError as e:
            engines = cluster.engine_set
            raise TimeoutError(failure_text(engines, str(e)) if engines else str(e)) from None
    finally:
        for future in (ready, *ended):
            future.cancel()
        for launcher in launchers:
            launcher.log_failure = True


def failure_text(launcher: BaseLauncher, what: str) -> str:
    """What happened to it, and the end of what it said."""
    said = launcher.output_tail() or "(nothing)"
    status = f" ({launcher.stop_data})" if launcher.stop_data else ""
    return f"{launcher.identifier}: {what}{status}. The end of its output:\n{said}"
