"""What an engine offers to the code that runs in it, the client's code included.

Engine and client know nothing of each other; what they have to do with each other is here. The
engine sets the host of its process, `get_host` finds it. Cheap to import.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, Protocol


class Host(Protocol):
    """The engine that this process is."""

    #: Publishes data of the running task; see `engine.datapub`.
    data_pub: Any

    #: The client of this engine's own cluster, once there is one; see `get_client`. The engine
    #: closes it when it ends.
    client: Any

    @property
    def client_info(self) -> dict[str, Any]:
        """What a client's connection file of this cluster holds; empty if that is not known."""

    def bind_kernel(self, **options: Any) -> str:
        """Open this engine to Jupyter's front ends."""

    def lineage(self) -> dict[str, Any]:
        """What is said in the metadata of a task that the running one submits: whose it is."""

    def may_serve(self) -> bool:
        """Whether `serve` may be called here and now: in the main thread, by a running request."""

    def serve(self, done: Callable[[], bool], timeout: float | None) -> bool:
        """Run other requests until `done`, or for so many seconds; what `done` says at the end."""

    def wake(self) -> None:
        """Have `serve` ask again whether it is done; from any thread."""

    def serve_while_awaited(self, future: Future[Any]) -> None:
        """Run other requests on the event loop until this future, which is awaited, is done."""


_host: Host | None = None


def set_host(host: Host | None) -> None:
    """This process is that engine from now on; None: it is none."""
    global _host
    _host = host


def get_host() -> Host | None:
    """The engine that this process is; None if it is none."""
    return _host
