"""A controller is killed and started again: a client goes on, and all of its tasks finish."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from types import FunctionType

import pytest

import ipyparallel as ipp
from tests.support.processes import Controller, Engines, port_range, wait_until


class Site:
    """A controller that can be killed, with two engines and a client.

    Parameters
    ----------
    restore_wait : float
        Seconds that it waits for engines that do not come back.
    """

    def __init__(self, folder: Path, *options: str, restore_wait: float = 100) -> None:
        self.folder = folder
        wait = f"--IPController.restore_wait={restore_wait}"
        self.options = ("--restore", f"--ports={port_range()}", wait, *options)
        self.controller = Controller(folder, *self.options)
        self.engines = Engines(folder, self.controller.engine_file, "-n=2")
        self.engines.wait_ready(2)
        self.client = ipp.Client(str(self.controller.client_file))
        self.client.wait_for_engines(2, timeout=20)
        self.client[:].execute("ran = []", block=True)

    def kill(self) -> None:
        self.controller.kill()
        wait_until(
            lambda: len(self.client._messenger.connection.unopened()) == 4,
            "the client to see that",
        )

    def start_again(self) -> None:
        self.controller = Controller(self.folder, *self.options)

    def ran(self) -> list[object]:
        return sorted(chain.from_iterable(self.client[:].pull("ran", block=True)))

    def close(self) -> None:
        self.client.close()
        self.engines.end()
        self.controller.end()


#: Databases, by the options that choose them; the last one outlives the controller.
DATABASES = {"dict": ("--dictdb",), "none": ("--nodb",), "sqlite": ("--sqlitedb",)}


@pytest.fixture(params=DATABASES.values(), ids=DATABASES)
def site(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Site]:
    site = Site(tmp_path, *request.param)
    yield site
    site.close()


def note_and_wait(key: object, begun: str = "", end: str = "") -> object:
    import os
    import time

    ran.append(key)  # type: ignore[name-defined]  # noqa: F821
    if begun:
        open(begun, "w").close()
    while end and not os.path.exists(end):
        time.sleep(0.005)
    return key


# as if it were of a script, so that it travels by value
run = FunctionType(note_and_wait.__code__, vars(sys.modules["__main__"]), "run", ("", ""))
run.__module__ = "__main__"


def test_all_tasks_finish(site: Site, tmp_path: Path) -> None:
    client, view = site.client, site.client.load_balanced_view()
    begun, end = str(tmp_path / "begun"), str(tmp_path / "end")
    tasks = [
        client[0].apply_async(run, "direct, running", begun + "0", end),
        view.apply_async(run, "balanced, running", begun + "1", end),
        client[0].apply_async(run, "direct, queued"),
        client[1].apply_async(run, "direct, queued or not"),
    ]
    wait_until(lambda: os.path.exists(begun + "0") or os.path.exists(begun + "1"))
    tasks += [view.apply_async(run, f"balanced, queued {n}") for n in range(10)]
    after = view.map_async(abs, range(-50, 0))
    site.kill()
    tasks += [client[n].apply_async(run, f"direct, later {n}") for n in (0, 1)]
    tasks += [view.apply_async(run, f"balanced, later {n}") for n in range(10)]
    with pytest.raises(TimeoutError):
        tasks[-1].get(0.05)
    Path(end).touch()
    site.start_again()
    names = [task.get(40) for task in tasks]
    assert after.get(40) == list(range(50, 0, -1))
    assert site.ran() == sorted(names)
    assert client.ids == [0, 1]
    assert not client.outstanding
    assert client._messenger.tasks.kept == 0


def test_it_may_be_killed_several_times(site: Site) -> None:
    view = site.client.load_balanced_view()
    tasks = []
    for n in range(3):
        tasks += [view.apply_async(run, f"{n} {i}") for i in range(20)]
        tasks += [site.client[n % 2].apply_async(run, f"{n} direct")]
        site.kill()
        tasks += [view.apply_async(run, f"{n} later")]
        site.start_again()
    names = [task.get(40) for task in tasks]
    assert len(set(names)) == len(tasks)
    assert set(site.ran()) == set(names)


def test_what_engines_that_do_not_come_back_had_fails(tmp_path: Path) -> None:
    site = Site(tmp_path, restore_wait=1)
    try:
        direct = site.client[0].apply_async(run, "x", str(tmp_path / "begun"), str(tmp_path / "no"))
        wait_until(lambda: (tmp_path / "begun").exists())
        site.kill()
        later = site.client[1].apply_async(abs, -1)
        balanced = site.client.load_balanced_view().apply_async(abs, -2)
        site.engines.kill()
        site.engines.end()
        site.start_again()
        for task in (direct, later):
            with pytest.raises(ipp.EngineError, match="left while the connection"):
                task.get(40)
        assert site.client.ids == []
        site.engines = Engines(tmp_path, site.controller.engine_file)
        assert balanced.get(40) == 2
    finally:
        site.close()
