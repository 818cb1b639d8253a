"""A profile folder, and launchers that start nothing."""

import sys
import types

import pytest

from ipyparallel.cluster.cluster import Cluster
from ipyparallel.cluster.launchers.base import NotRunning
from ipyparallel.cluster.launchers.roles import ControllerLauncher, EngineLauncher

ENGINE_INFO = {
    "interface": "tcp://127.0.0.1",
    **dict.fromkeys(["registration", "control", "mux", "task", "iopub"], 1),
    **dict.fromkeys(["hb_ping", "hb_pong"], 2),
    "key": "secret",
}
CLIENT_INFO = {
    "interface": "tcp://127.0.0.1",
    **dict.fromkeys(["registration", "control", "mux", "task", "iopub", "notification"], 1),
    "key": "secret",
}


class Fake:
    """Runs when it says so; `alive` holds what from_dict finds."""

    alive: set[str] = set()

    async def start(self, n=1):
        self.alive.add(self.identifier)
        self.notify_start()

    async def stop(self):
        self.end(0)
        return self.stop_data

    async def signal(self, sig):
        self.signals = [*getattr(self, "signals", []), sig]

    def end(self, exit_code):
        self.alive.discard(self.identifier)
        self.notify_stop({"exit_code": exit_code, "identifier": self.identifier})

    def get_output(self, remove=False):
        return "what it said"

    @classmethod
    def from_dict(cls, d, **kwargs):
        launcher = super().from_dict(d, **kwargs)
        if launcher.identifier not in cls.alive:
            raise NotRunning("it is gone")
        launcher.notify_start()
        return launcher


class FakeController(Fake, ControllerLauncher):
    info = {"client": CLIENT_INFO, "engine": ENGINE_INFO}

    async def get_connection_info(self, timeout=None):
        if not self.running:
            raise RuntimeError("The controller stopped")
        return self.info


class FakeEngines(Fake, EngineLauncher):
    pass


@pytest.fixture
def profile(tmp_path, monkeypatch):
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    return tmp_path / "ipython" / "profile_default"


@pytest.fixture
def fakes(monkeypatch):
    """The fake launcher classes, importable as `fake_launchers`."""
    module = types.ModuleType("fake_launchers")
    for cls in (FakeController, FakeEngines):
        cls.__module__ = "fake_launchers"
        setattr(module, cls.__name__, cls)
    monkeypatch.setitem(sys.modules, "fake_launchers", module)
    monkeypatch.setattr(Fake, "alive", set())
    return module


@pytest.fixture
def new_cluster(profile, fakes):
    """Makes clusters of fake launchers in the profile folder."""

    def make(**kwargs):
        options = {"controller": fakes.FakeController, "engines": fakes.FakeEngines, "n": 2}
        return Cluster(
            **{"profile_dir": str(profile), "shutdown_atexit": False, **options, **kwargs}
        )

    return make
