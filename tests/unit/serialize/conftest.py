"""Two interactive sessions in one process: the client's ``__main__`` and the engine's."""

import sys
import types
import weakref

import cloudpickle.cloudpickle
import pytest

from ipyparallel.serialize.pickler import deserialize, serialize


class Sessions:
    """What is typed at the client (`define`) and what arrives at the engine (`send`)."""

    def __init__(self, monkeypatch):
        self._monkeypatch = monkeypatch
        self._client = types.ModuleType("__main__")
        self._engine = types.ModuleType("__main__")
        self.at_client()

    @property
    def client(self):
        """The client's namespace."""
        return self._client.__dict__

    @property
    def engine(self):
        """The engine's namespace."""
        return self._engine.__dict__

    def at_client(self):
        self._monkeypatch.setitem(sys.modules, "__main__", self._client)

    def at_engine(self):
        self._monkeypatch.setitem(sys.modules, "__main__", self._engine)
        # else cloudpickle finds that the classes which arrive are those that were sent
        inner = cloudpickle.cloudpickle
        self._monkeypatch.setattr(
            inner, "_DYNAMIC_CLASS_TRACKER_BY_CLASS", weakref.WeakKeyDictionary()
        )
        self._monkeypatch.setattr(
            inner, "_DYNAMIC_CLASS_TRACKER_BY_ID", weakref.WeakValueDictionary()
        )

    def define(self, source):
        """Type something at the client; what it called ``it``."""
        self.at_client()
        exec(source, self.client)
        return self.client.get("it")

    def send(self, obj):
        """The object as it arrives at the engine, where one is from now on."""
        self.at_client()
        frames = [bytes(frame) for frame in serialize(obj)]
        self.at_engine()
        return deserialize(frames)


@pytest.fixture
def sessions(monkeypatch):
    return Sessions(monkeypatch)
