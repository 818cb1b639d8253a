"""Functions for engines say so if they are called elsewhere; for the rest see tests/cluster."""

import pytest

from ipyparallel.util import become_dask_worker, stop_distributed_worker


def test_only_an_engine_becomes_a_worker():
    with pytest.raises(RuntimeError, match="must be called on an engine"):
        become_dask_worker("tcp://127.0.0.1:1")


def test_nothing_to_stop_is_fine():
    stop_distributed_worker()
