"""Clusters must not outlive the process that started them, unless they are meant to."""

from __future__ import annotations

import atexit
import weakref
from typing import Protocol


class Stoppable(Protocol):
    """What can be stopped when the process ends."""

    def stop_if_forgotten(self) -> None:
        """Stop it, if that is what it is meant for."""


_clusters: weakref.WeakSet[Stoppable] = weakref.WeakSet()


def stop_at_exit(cluster: Stoppable) -> None:
    """Have the cluster stopped when this process ends, if it is still there."""
    _clusters.add(cluster)


@atexit.register
def _stop_clusters() -> None:
    for cluster in list(_clusters):
        cluster.stop_if_forgotten()
