"""Restarting an engine set: in place where its launcher can do that; then engines keep their ids.

```
    restart_in_place()             the hub, as a client hears it
           │
    its supervisor kills each  ──►  unregister 0, 1      (nobody left in time: it did not obey)
    and forks another          ──►  register 0, 1   ──►  done
```
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING

from ..error import EngineError
from .launchers.roles import EngineLauncher
from .readiness import failure_text

if TYPE_CHECKING:
    from ..client.client import Client
    from .cluster import Cluster

#: Seconds in which the first engine is gone if the launcher's process does what it is asked.
_OBEYS_WITHIN = 5.0


async def restart_in_place(cluster: Cluster, launcher: EngineLauncher) -> bool:
    """Have all engines of a set replaced; return when clients see the new ones.

    Returns
    -------
    bool
        False if this is not possible, and the set goes on as it was.

    Raises
    ------
    TimeoutError
        They did not all come back within the cluster's `engine_timeout`; the text ends with what
        they said.
    """
    if not (launcher.running and launcher.restarts_in_place):
        return False
    try:
        client = await cluster.connect_client()
    except (OSError, RuntimeError, EngineError):
        return False  # there is no controller that engines could come back to
    try:
        before = set(_uuids(client))
        await launcher.restart_in_place()
        if not await _wait(client, lambda: not before <= {*_uuids(client)}, _OBEYS_WITHIN):
            return False
        timeout = cluster.engine_timeout if cluster.engine_timeout >= 0 else None
        if not await _wait(client, lambda: len({*_uuids(client)} - before) >= launcher.n, timeout):
            problem = f"{launcher.n} engines were restarted, and not all of them are ready"
            raise TimeoutError(failure_text(launcher, problem))
    finally:
        client.close()
    return True


def _uuids(client: Client) -> list[str]:
    return list(client._messenger.engines.uuids.values())


async def _wait(client: Client, enough: Callable[[], bool], timeout: float | None) -> bool:
    messenger = client._messenger

    def is_over() -> bool:
        return bool(messenger.lost) or enough()

    came = await asyncio.to_thread(messenger.engines.wait_for, is_over, timeout)
    messenger.check()
    return came
