"""Data that a running task sends to its client: ``publish_data(dict)`` to ``AsyncResult.data``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from traitlets import Any as AnyTrait
from traitlets import CBytes, HasTraits

from .._host import get_host
from ..serialize.pickler import serialize
from .origin import Follower

__all__ = ["ZMQDataPublisher", "publish_data"]


class ZMQDataPublisher(Follower, HasTraits):
    """Publishes data as part of the task that is running; an engine's shell has one, `data_pub`."""

    topic = CBytes(b"datapub")
    #: The engine's kernel, which knows where to send.
    kernel = AnyTrait()

    def publish_data(self, data: Mapping[str, Any]) -> None:
        """Send data to the client of the running task; see the function of this name."""
        if not isinstance(data, dict):
            raise TypeError(f"publish_data takes a dict, not a {type(data).__name__}: {data!r}")
        # copied: the task may change its arrays before they have left
        frames = [bytes(frame) for frame in serialize(data)]
        self.kernel.flush_output()
        self.kernel.session.send(
            self.kernel.iopub_socket,
            "data_message",
            {"keys": [str(key) for key in data]},
            parent=self.parent_header,
            ident=self.topic,
            buffers=frames,
        )


def publish_data(data: Mapping[str, Any]) -> None:
    """Send data to the client while a task is running, such as its progress.

    To be called on an engine, by a task or what it started. Each call updates
    ``AsyncResult.data`` there.

    Parameters
    ----------
    data : dict
        Names and values, which may be anything that can be sent, arrays included.

    Raises
    ------
    RuntimeError
        This process is not an engine.
    TypeError
        `data` is no dict.
    """
    host = get_host()
    if host is None:
        raise RuntimeError("publish_data must be called on an engine")
    host.data_pub.publish_data(data)
