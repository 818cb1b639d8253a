"""Two interactive sessions in one process: the client's ``__main__`` and the engine's."""

import importlib
import sys
import types
import weakref

import cloudpickle.cloudpickle
import pytest

from ipyparallel.serialize import by_value, can_map
from ipyparallel.serialize.pickler import deserialize, serialize, use_cloudpickle


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


class Beside:
    """A module that lies beside the script, and that an engine may not have."""

    def __init__(self, folder, monkeypatch):
        self.folder = folder
        self._monkeypatch = monkeypatch

    def write(self, name, source):
        """Write a module."""
        path = self.folder / f"{name}.py"
        path.parent.mkdir(exist_ok=True, parents=True)
        path.write_text(source)
        importlib.invalidate_caches()

    def load(self, name, source):
        """Write a module; import it."""
        self.write(name, source)
        return importlib.import_module(name.replace("/", ".").removesuffix(".__init__"))

    def forget(self):
        """Be where these modules are not."""
        self._monkeypatch.setattr(sys, "path", [p for p in sys.path if p != str(self.folder)])
        for name, module in list(sys.modules.items()):
            if str(getattr(module, "__file__", "")).startswith(str(self.folder)):
                self._monkeypatch.delitem(sys.modules, name)


@pytest.fixture
def beside(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(tmp_path))
    known = set(sys.modules)
    yield Beside(tmp_path, monkeypatch)
    monkeypatch.undo()
    for name in set(sys.modules) - known:
        if str(getattr(sys.modules[name], "__file__", "")).startswith(str(tmp_path)):
            del sys.modules[name]


@pytest.fixture(autouse=True)
def as_it_began(monkeypatch):
    """No test leaves another pickler, modules by value, or canners behind."""
    monkeypatch.setattr(by_value, "_names", set())
    canners = dict(can_map)
    yield
    use_cloudpickle()
    for key in set(can_map) - canners.keys():
        del can_map[key]
    for key, canner in canners.items():
        if can_map.get(key) is not canner:
            can_map[key] = canner
