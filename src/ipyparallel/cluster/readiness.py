"""Waiting until the engines are registered, or until it is clear that they will not be."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from ..error import EngineError
from .launchers.base import BaseLauncher

if TYPE_CHECKING:
    from ..client.client import Client
    from .cluster import Cluster


EARLY_END = "stopped before all engines were ready"


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
    if not cluster.engines and cluster.last_stopped is not None:
        raise EngineError(failure_text(cluster.last_stopped, EARLY_END))
    launchers: list[BaseLauncher] = [*cluster.engines.values()]
    if n is None:
        n = sum(launcher.n for launcher in cluster.engines.values())
    if cluster.controller is not None:
        launchers.append(cluster.controller)
    timeout = cluster.engine_timeout if cluster.engine_timeout >= 0 else None
    # its own deadline would leave no time to say why
    registered = client.wait_for_engines(n, timeout=-1, block=False)
    if registered is None:
        return
    ready: asyncio.Future[Any] = asyncio.wrap_future(registered)
    ended: dict[asyncio.Future[Any], BaseLauncher] = {
        asyncio.ensure_future(launcher.join()): launcher for launcher in launchers
    }
    for launcher in launchers:
        launcher.log_failure = False
    try:
        await asyncio.wait([ready, *ended], timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
        if stopped := [launcher for future, launcher in ended.items() if future.done()]:
            raise EngineError(failure_text(stopped[0], EARLY_END))
        if ready.done():
            ready.result()
            return
        problem = (
            f"{n} engines not ready in {timeout:g} seconds. Currently ready: {len(client.ids)}"
        )
        engines = cluster.engine_set
        raise TimeoutError(failure_text(engines, problem) if engines else problem)
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
