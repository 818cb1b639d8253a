"""Engines as workers of dask, with the real thing."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Iterator

import psutil
import pytest

import ipyparallel as ipp
from ipyparallel.util import become_dask_worker
from tests.support.interrupts import ctrl_c_while_waiting

distributed = pytest.importorskip("distributed")


@pytest.fixture
def dask(client: ipp.Client) -> Iterator[distributed.Client]:
    """A client of dask's; nothing of dask is left on the cluster after the test."""
    with client.become_dask() as found:
        yield found
    client.stop_dask()


def of_dask():
    """What is left of dask on an engine: names, and threads."""
    import threading

    from IPython import get_ipython

    names = sorted(n for n in get_ipython().user_ns if "dask" in n or "distributed" in n)
    threads = [t.name for t in threading.enumerate() if "ask" in t.name]
    return names, threads, repr(getattr(get_ipython().kernel, "distributed_worker", None))


def square(x):
    return x * x


def until_there(path):
    import os
    import time

    while not os.path.exists(path):
        time.sleep(0.01)


def value_on_engine(name):
    from IPython import get_ipython

    return get_ipython().user_ns[name]


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


# as if they were of a script: sent by value, by dask, too
for func in (square, value_on_engine):
    func.__module__ = "__main__"


def test_engines_work_for_dask(client, dask):
    assert dask.gather(dask.map(square, range(20))) == [i * i for i in range(20)]
    workers = dask.scheduler_info()["workers"].values()
    assert sorted((worker["name"], worker["nthreads"]) for worker in workers) == [
        ("engine-0", 1),
        ("engine-1", 1),
    ]
    assert set(dask.run(os.getpid).values()) == set(client[:].apply_sync(os.getpid))


def test_the_engine_knows_its_worker(client, dask):
    addresses = client[:]["dask_worker.address"]
    assert set(addresses) == set(dask.scheduler_info()["workers"])
    assert client[:]["dask_worker is distributed_worker"] == [True, True]
    known = "get_ipython().kernel.distributed_worker is dask_worker"
    client[:].execute(f"known = {known}", block=True)
    assert client[:]["known"] == [True, True]


def test_tasks_of_dask_have_the_names_of_the_engine(client, dask):
    client[:].scatter("part", [10, 20], flatten=True, block=True)
    assert sorted(dask.run(value_on_engine, "part").values()) == [10, 20]
    (one, _) = dask.scheduler_info()["workers"]
    assert dask.submit(value_on_engine, "part", workers=[one]).result() in (10, 20)


def test_dask_goes_on_while_engines_are_busy(client, dask, tmp_path):
    busy = client[:].apply_async(ipp.interactive(until_there), str(tmp_path / "go"))
    try:
        assert dask.gather(dask.map(square, range(10))) == [i * i for i in range(10)]
        assert not busy.done()
    finally:
        (tmp_path / "go").touch()
    busy.get(timeout=30)


def test_again_is_fine(client, dask):
    workers = set(dask.scheduler_info()["workers"])
    with client.become_distributed() as again:
        assert set(again.scheduler_info()["workers"]) == workers
        assert again.scheduler.address == dask.scheduler.address
    with client.become_dask(targets=[0], nthreads=2) as other:
        threads = {w["name"]: w["nthreads"] for w in other.scheduler_info()["workers"].values()}
    assert threads == {"engine-0": 2, "engine-1": 1}


def test_afterwards_nothing_is_left(client):
    before = client[:].apply_sync(of_dask)
    with client.become_dask():
        assert client[:].apply_sync(of_dask) != before
    client.stop_distributed()
    assert client[:].apply_sync(of_dask) == before == [([], [], "None")] * 2
    client.stop_dask()  # also if there is nothing to stop


def test_the_port_is_the_one_asked_for(client):
    port = free_port()
    with client.become_dask(targets=0, port=port) as dask:
        try:
            assert dask.scheduler.address == f"tcp://127.0.0.1:{port}"
            assert len(dask.scheduler_info()["workers"]) == 1
            with pytest.raises(ValueError, match=f"already, on port {port}; .*stop_dask"):
                client.become_dask(port=port + 1)
            assert dask.submit(abs, -1).result() == 1
        finally:
            client.stop_dask()


def test_arguments_of_scheduler_and_workers(client):
    with client.become_dask(
        scheduler_args={"idle_timeout": "1 hour"}, nthreads=2, resources={"GPU": 1}
    ) as dask:
        try:
            workers = dask.scheduler_info()["workers"].values()
            assert {w["nthreads"] for w in workers} == {2}
            assert {tuple(w["resources"].items()) for w in workers} == {(("GPU", 1),)}
        finally:
            client.stop_dask()


def test_bad_arguments_leave_nothing(client):
    with pytest.raises(TypeError, match="no_such"):
        client.become_dask(scheduler_args={"no_such": 1})
    with pytest.raises((TypeError, ipp.CompositeError), match="no_such"):
        client.become_dask(no_such=1)
    assert client[:].apply_sync(of_dask) == [([], [], "None")] * 2
    port = free_port()  # another one than that of a scheduler that was left would be refused
    with client.become_dask(port=port):
        client.stop_dask()


def test_bad_arguments_leave_the_workers_there_were(client, dask):
    with pytest.raises(ipp.RemoteError, match="nonsense"):
        client.become_dask(nonsense=1)
    dask.wait_for_workers(2, timeout=30)
    assert dask.submit(square, 3).result(timeout=30) == 9


def test_arguments_that_cannot_be_sent(client):
    with pytest.raises(TypeError, match="'validate' is not: <object"):
        client.become_dask(scheduler_args={"validate": object()})


@pytest.mark.parametrize("nanny", [False, True])
def test_a_scheduler_that_is_not_there(client, nanny):
    address = f"tcp://127.0.0.1:{free_port()}"
    asked = client[1].apply_async(become_dask_worker, address, nanny=nanny, death_timeout=0.5)
    with pytest.raises(TimeoutError, match=f"engine-1 cannot reach .* at {address}"):
        asked.get(timeout=30)
    assert client[1].apply_sync(of_dask) == ([], [], "None")


def test_ctrl_c_does_not_wait_for_engines(client, tmp_path):
    busy = client[:].apply_async(until_there, str(tmp_path / "go"))
    with ctrl_c_while_waiting(), pytest.raises(KeyboardInterrupt):
        client.become_dask()
    (tmp_path / "go").touch()
    busy.get(timeout=30)
    assert client[:].apply_sync(of_dask) == [([], [], "None")] * 2


def test_workers_with_a_nanny_are_processes(client):
    engines = set(client[:].apply_sync(os.getpid))
    with client.become_dask(nanny=True) as dask:
        try:
            workers = set(dask.run(os.getpid).values())
            assert not workers & engines
            assert {psutil.Process(pid).ppid() for pid in workers} == engines
            assert dask.gather(dask.map(square, range(5))) == [0, 1, 4, 9, 16]
        finally:
            client.stop_dask()
    assert not any(psutil.pid_exists(pid) for pid in workers)


@pytest.mark.parametrize("nanny", [False, True])
def test_a_cluster_stops_with_dask_on_it(new_cluster, nanny):
    cluster, client = new_cluster(2)
    with client.become_dask(nanny=nanny) as dask:
        workers = [psutil.Process(pid) for pid in dask.run(os.getpid).values()]
    client.close()
    cluster.stop_cluster_sync()
    assert psutil.wait_procs(workers, timeout=20)[1] == []


def test_an_engine_that_dies_is_a_worker_less(new_cluster):
    _, client = new_cluster(2)
    with client.become_dask() as dask:
        client[0].apply_async(os._exit, 1)
        while len(dask.scheduler_info()["workers"]) > 1:
            time.sleep(0.01)
        assert dask.gather(dask.map(square, range(5))) == [0, 1, 4, 9, 16]
        client.stop_dask()


# ---- where it is not installed


def test_not_installed_here(client, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "distributed", None)
    with pytest.raises(ImportError, match="pip install distributed"):
        client.become_dask()


def test_not_installed_at_the_controller(new_cluster, monkeypatch, tmp_path):
    (tmp_path / "distributed.py").write_text(
        "raise ModuleNotFoundError(\"No module named 'distributed'\", name='distributed')"
    )
    path = os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])
    monkeypatch.setenv("PYTHONPATH", path)
    _, client = new_cluster(1)
    with pytest.raises(ImportError, match="where the controller runs"):
        client.become_dask()


def test_not_installed_on_an_engine(client):
    client[1].execute("import sys; sys.modules['distributed'] = None", block=True)
    try:
        with pytest.raises((ImportError, ipp.CompositeError), match="engine 1 cannot import"):
            client.become_dask()
    finally:
        client[1].execute("del sys.modules['distributed'], sys", block=True)
    assert client[:].apply_sync(of_dask) == [([], [], "None")] * 2
