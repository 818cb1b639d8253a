"""What clients cannot do with published engines: restart them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

import ipyparallel as ipp
from tests.interop.conftest import Mixed, make_mixed

pytestmark = pytest.mark.interop


@pytest.fixture(scope="module")
def mixed(peer_python: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mixed]:
    yield from make_mixed(peer_python, tmp_path_factory.mktemp("restarting"))


def test_our_client_says_that_it_cannot_restart_published_engines(mixed: Mixed) -> None:
    with ipp.Client(str(mixed.controller.client_file)) as client:
        with pytest.raises(ipp.EngineError, match=r"engines \[0, 1\] cannot be restarted"):
            client.restart_engines()
        with pytest.raises(ipp.EngineError, match=r"engines \[1\] cannot be restarted"):
            client.shutdown(1, restart=True, block=True)
        assert client.ids == [0, 1]
