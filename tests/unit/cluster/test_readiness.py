import asyncio
from concurrent.futures import Future

import pytest

from ipyparallel.cluster.readiness import wait_until_registered
from ipyparallel.error import EngineError


class Client:
    """Sees engines when the test says so."""

    def __init__(self, registered):
        self.ids = [0]
        self.registered = registered

    def wait_for_engines(self, n, timeout, block):
        self.n = n
        return self.registered


def test_it_waits_for_as_many_engines_as_were_started(new_cluster):
    cluster = new_cluster().start_cluster_sync()
    cluster.start_engines_sync(3)
    registered = Future()
    registered.set_result(None)
    client = Client(registered)
    asyncio.run(wait_until_registered(cluster, client))
    assert client.n == 5
    asyncio.run(wait_until_registered(cluster, Client(None), 4))


def test_an_error_of_the_client_comes_through(new_cluster):
    registered = Future()
    registered.set_exception(EngineError("engine 0 left"))
    with pytest.raises(EngineError, match="engine 0 left"):
        asyncio.run(wait_until_registered(new_cluster().start_cluster_sync(), Client(registered)))


@pytest.mark.parametrize("part", ["controller", "engine_set"])
def test_what_stops_is_quoted(new_cluster, part):
    cluster = new_cluster().start_cluster_sync()

    async def main():
        waiting = asyncio.ensure_future(wait_until_registered(cluster, Client(Future())))
        await asyncio.sleep(0)
        getattr(cluster, part).end(1)
        await waiting

    with pytest.raises(EngineError, match=r"(?s)stopped before.*exit_code': 1.*what it said"):
        asyncio.run(main())


def test_a_timeout_says_how_many_came(new_cluster):
    cluster = new_cluster(engine_timeout=0).start_cluster_sync()
    with pytest.raises(TimeoutError, match=r"(?s)2 engines not ready.*ready: 1.*what it said"):
        asyncio.run(wait_until_registered(cluster, Client(Future())))
    assert cluster.engine_set.log_failure


def test_what_stopped_before_anyone_waited_is_quoted_too(new_cluster):
    cluster = new_cluster().start_cluster_sync()
    cluster.engine_set.end(1)
    with pytest.raises(EngineError, match="what it said"):
        asyncio.run(wait_until_registered(cluster, Client(None)))
