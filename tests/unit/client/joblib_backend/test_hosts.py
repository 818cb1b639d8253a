"""Engines are asked once for their hosts, and not waited for."""

from concurrent.futures import Future

from ipyparallel.client.joblib_backend.hosts import engines_by_host
from ipyparallel.error import EngineError


class View:
    def __init__(self, client, engine_id):
        self.client, self.engine_id = client, engine_id

    def apply_async(self, func):
        if self.engine_id in self.client.gone:
            raise EngineError("gone")
        self.client.asked[self.engine_id] = future = Future()
        return future


class Client:
    """Stands in for the part of a client that is used here; its engines answer when told to."""

    def __init__(self, ids):
        self.ids = ids
        self.asked = {}
        self.gone = set()

    def __getitem__(self, engine_id):
        return View(self, engine_id)


def test_hosts_count_when_all_have_answered():
    client = Client([0, 1, 2])
    assert engines_by_host(client) == {"": 3}
    client.asked[0].set_result("a")
    client.asked[1].set_result("a")
    assert engines_by_host(client) == {"": 3}
    client.asked[2].set_result("b")
    assert engines_by_host(client) == {"a": 2, "b": 1, "": 3}


def test_each_is_asked_once_unless_it_fails():
    client = Client([0])
    engines_by_host(client)
    first = client.asked.pop(0)
    engines_by_host(client)
    assert client.asked == {}
    first.set_exception(EngineError("died"))
    engines_by_host(client)
    assert list(client.asked) == [0]


def test_engines_come_and_go():
    client = Client([0, 1])
    client.gone = {1}
    engines_by_host(client)
    client.asked[0].set_result("a")
    client.ids = [0]
    assert engines_by_host(client) == {"a": 1, "": 1}
    client.ids = [0, 2]
    assert engines_by_host(client) == {"": 2}
