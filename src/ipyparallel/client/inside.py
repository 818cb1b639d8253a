"""The client that tasks use: that of the engine they run on."""

from __future__ import annotations

import threading

from .._host import get_host
from .client import Client

_lock = threading.Lock()


def get_client() -> Client:
    """A client of the cluster that the engine belongs to on which this is called: for tasks that
    submit tasks.

    Made when it is first asked for, and the same for all tasks of an engine; closed when the engine
    ends. While a task waits for results of this client, its engine runs other balanced tasks, one
    nested in the other, so that tasks may wait for tasks that have no other engine to run on. So a
    task that waits may go on later than its results are there.

    Returns
    -------
    Client

    Raises
    ------
    RuntimeError
        This process is not an engine, or its controller does not tell engines where clients
        connect.

    Examples
    --------
    >>> def total(parts):
    ...     import ipyparallel as ipp
    ...
    ...     view = ipp.get_client().load_balanced_view()
    ...     return sum(view.map_sync(sum, parts))
    """
    host = get_host()
    if host is None:
        raise RuntimeError(
            "get_client is for code that runs on an engine, and this process is none; connect with"
            " ipyparallel.Client(), or start a cluster with ipyparallel.Cluster()"
        )
    with _lock:
        client: Client | None = host.client
        if client is None or client._messenger.lost:
            if not host.client_info:
                raise RuntimeError(
                    "the controller of this engine does not tell engines where clients connect;"
                    " use ipyparallel.Client() with the path of the clients' connection file"
                )
            client = Client(host.client_info)
            client._messenger.host = host
            host.client = client
        return client
