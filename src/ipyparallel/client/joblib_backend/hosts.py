"""How many engines there are on each host, for who shares the hosts' CPUs out among them."""

from __future__ import annotations

import socket
from collections import Counter
from concurrent.futures import Future
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from ...error import KernelError

if TYPE_CHECKING:
    from ..client import Client

#: The hosts of engines, by their ids, as far as they have answered.
_hosts: WeakKeyDictionary[Client, dict[int, str]] = WeakKeyDictionary()


def engines_by_host(client: Client) -> dict[str, int]:
    """The number of engines by host name; under ``""``, that of all.

    Engines are asked once. What is not known yet, since an engine is busy, is left out: it is
    not waited for.
    """
    known = _hosts.setdefault(client, {})
    ids = client.ids
    for engine_id in ids:
        if engine_id not in known:
            with suppress(KernelError, IndexError):  # it has gone meanwhile
                asked = client[engine_id].apply_async(socket.gethostname)
                known[engine_id] = ""
                asked.add_done_callback(partial(_answered, known, engine_id))
    counts = Counter(host for engine_id in ids if (host := known.get(engine_id)))
    if sum(counts.values()) < len(ids):
        counts = Counter()  # a part of them would make the share of each too large
    return {**counts, "": len(ids)}


def _answered(known: dict[int, str], engine_id: int, asked: Future[str]) -> None:
    if asked.exception() is None:
        known[engine_id] = asked.result()
    else:
        known.pop(engine_id, None)
