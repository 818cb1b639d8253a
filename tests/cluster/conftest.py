"""A real cluster, shared by the tests of a module unless they break it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import ipyparallel as ipp


def start(profile: Path, n: int, **options: object) -> tuple[ipp.Cluster, ipp.Client]:
    """A cluster in a profile of its own, and a client that sees all its engines."""
    cluster = ipp.Cluster(n=n, profile_dir=str(profile), log_level=40, **options)
    return cluster, cluster.start_and_connect_sync()


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ipp.Client]:
    """A client of a cluster of two engines."""
    cluster, client = start(tmp_path_factory.mktemp("profile"), 2)
    yield client
    client.close()
    cluster.stop_cluster_sync()


@pytest.fixture
def new_cluster(
    tmp_path: Path,
) -> Iterator[Callable[..., tuple[ipp.Cluster, ipp.Client]]]:
    """Starts clusters that the test may break."""
    started = []

    def new(n: int, **options: object) -> tuple[ipp.Cluster, ipp.Client]:
        started.append(start(tmp_path / str(len(started)), n, **options))
        return started[-1]

    yield new
    for cluster, client in started:
        client.close()
        cluster.stop_cluster_sync()
