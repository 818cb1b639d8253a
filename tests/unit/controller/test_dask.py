"""Where a scheduler of dask listens: where the controller does."""

import pytest

from ipyparallel.controller.dask import _host


@pytest.mark.parametrize(
    ("interface", "host"),
    [
        ("tcp://127.0.0.1", "127.0.0.1"),
        ("tcp://192.168.0.1", "192.168.0.1"),
        ("tcp://*", None),
        ("tcp://0.0.0.0", None),
        ("ipc:///tmp/x", "127.0.0.1"),
    ],
)
def test_it_listens_where_the_controller_does(interface, host):
    assert _host(interface) == host
