"""What functions are, and need, on real engines."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import ipyparallel as ipp
from tests.support.processes import our_environment


def remote(ename: str, text: str) -> object:
    return pytest.raises(ipp.RemoteError, match=rf"(?s){ename}: .*{text}")


def test_references(client: ipp.Client) -> None:
    view = client[:]
    view.push({"a": [1, 2, 3], "f": None}, block=True)
    view.execute("def f(x): return a, x", block=True)
    assert view.apply_sync(len, ipp.Reference("a")) == [3, 3]
    same = ipp.interactive(lambda x, y: x[0] is y is a)  # type: ignore[name-defined]  # noqa: F821
    assert view.apply_sync(same, [ipp.Reference("a")], y=ipp.Reference("a")) == [True, True]
    assert view.apply_sync(ipp.Reference("f"), 4) == [([1, 2, 3], 4)] * 2
    assert view.map_sync(ipp.Reference("len"), ["a", "bc", ""]) == [1, 2, 0]
    balanced = client.load_balanced_view()
    assert balanced.map_sync(ipp.Reference("f"), range(2)) == [([1, 2, 3], 0), ([1, 2, 3], 1)]
    with remote("NameError", "<Reference: 'nope'> stands for nothing here"):
        client[0].apply_sync(len, ipp.Reference("nope"))


def test_prepickled(client: ipp.Client) -> None:
    array = ipp.PrePickled(np.arange(100_000.0))
    total = ipp.PrePickled(lambda x, y=0: float(x.sum()) + y)
    for _ in range(3):
        assert client[:].apply_sync(total, array, y=ipp.PrePickled(1)) == [4999950001.0] * 2


def test_requirements(client: ipp.Client) -> None:
    view = client[0]

    @ipp.require("bisect", os, limit=5)
    def task() -> object:
        return bisect.bisect([1, 2], 1), os.getpid(), limit  # type: ignore[name-defined]  # noqa: F821

    task = ipp.dependent(ipp.interactive(task.f), task.df, *task.dargs, **task.dkwargs)
    assert view.apply_sync(task) == (1, view.apply_sync(os.getpid), 5)
    with remote("UnmetDependency", "no_such_module is required"):
        view.apply_sync(ipp.require("no_such_module")(len), "")
    with remote("UnmetDependency", "len depends on"):
        view.apply_sync(ipp.depend(lambda: False)(len), "")


def test_dill(client: ipp.Client) -> None:
    view = client[:]
    view.push({"a": 5}, block=True)
    live = ipp.interactive(lambda x: a + x)  # type: ignore[name-defined]  # noqa: F821
    try:
        ipp.use_dill()
        view.apply_sync(ipp.use_dill)
        assert view.apply_sync(live, 1) == [6, 6]
        assert view.apply_sync(lambda lock: lock.locked(), threading.Lock()) == [False, False]
        (lock, _) = view.apply_sync(threading.Lock)
        assert lock.locked() is False
    finally:
        ipp.use_cloudpickle()
        view.apply_sync(ipp.use_pickle)
    with remote("UnpicklableResult", "returned a lock, which cannot be pickled"):
        client[0].apply_sync(threading.Lock)


def test_a_result_that_cannot_be_pickled_is_named(client: ipp.Client) -> None:
    with remote("UnpicklableResult", r"returned a dict, in which \['a'\]\[1\] is a lock"):
        client[0].apply_sync(lambda: {"a": [1, threading.Lock()]})


SCRIPT = """
    import sys
    import ipyparallel as ipp
    import beside

    def told(func, *args):
        try:
            return func(*args)
        except ipp.RemoteError as e:
            return e.ename, e.evalue

    with ipp.Client(profile_dir=sys.argv[1], cluster_id=sys.argv[2]) as client:
        view = client[:]
        ename, text = told(client[0].apply_sync, beside.work, 1)
        assert ename == "ModuleNotFoundError", ename
        assert "there is no module 'beside' here" in text, text
        assert "beside.work" in text, text
        assert "ipyparallel.send_by_value('beside')" in text, text

        ipp.send_by_value(beside)
        point = client[0].apply_sync(beside.move, beside.Point(1), 2)
        assert type(point) is beside.Point, point
        assert point.x == 3
        assert client.load_balanced_view().map_sync(beside.work, range(3)) == [10, 11, 12]

        ipp.send_by_value(beside, False)
        view.execute(f"import sys; sys.path.insert(0, {sys.path[0]!r})", block=True)
        assert client[0].apply_sync(beside.work, 1) == 11
    print("all is well")
"""

BESIDE = """
    import dataclasses

    OFFSET = 10

    @dataclasses.dataclass
    class Point:
        x: int

        def moved(self, by):
            return Point(add(self.x, by))

    def add(x, y):
        return x + y

    def work(x):
        return add(x, OFFSET)

    def move(point, by):
        return point.moved(by)
"""


def test_a_module_beside_the_script(
    new_cluster: Callable[..., tuple[ipp.Cluster, ipp.Client]], tmp_path: Path
) -> None:
    cluster, _ = new_cluster(1)
    (tmp_path / "script.py").write_text(textwrap.dedent(SCRIPT))
    (tmp_path / "beside.py").write_text(textwrap.dedent(BESIDE))
    run = subprocess.run(
        [sys.executable, tmp_path / "script.py", cluster.profile_dir, cluster.cluster_id],
        capture_output=True,
        text=True,
        env=our_environment(),
        timeout=60,
    )
    assert (run.stdout, run.stderr) == ("all is well\n", "")


def test_a_result_of_a_module_that_only_the_engine_has(client: ipp.Client) -> None:
    view = client[0]
    view.execute(
        "import sys, types\n"
        "only_there = types.ModuleType('only_there')\n"
        "exec('class X:\\n n = 3', only_there.__dict__)\n"
        "sys.modules['only_there'] = only_there",
        block=True,
    )
    make = ipp.Reference("only_there.X")
    with pytest.raises(ModuleNotFoundError, match=r"only_there\.X was sent by that name"):
        view.apply_sync(make)
    view.apply_sync(ipp.send_by_value, "only_there")
    assert view.apply_sync(make).n == 3
    view.apply_sync(ipp.send_by_value, "only_there", False)
