"""joblib, and scikit-learn through it, on engines."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import joblib
import pytest
from joblib import Parallel, delayed

import ipyparallel as ipp

OFFSET = 3


@pytest.fixture(autouse=True)
def backend(client: ipp.Client):
    """The engines are joblib's backend, for the time of a test."""
    ipp.send_by_value(sys.modules[__name__])
    client.load_balanced_view().register_joblib_backend("engines")
    with joblib.parallel_config("engines"):
        yield
    del joblib.parallel.BACKENDS["engines"]
    client[:].apply_sync(os.getcwd)  # nothing runs any more


def offset(i):
    return i + OFFSET


def through_a_helper(i):
    return offset(i)


def where(i):
    return os.getpid()


def until_there(path, value):
    while not os.path.exists(path):
        time.sleep(0.01)
    return value


def test_many_short_tasks(client):
    assert Parallel(n_jobs=-1)(delayed(through_a_helper)(i) for i in range(1000)) == list(
        range(OFFSET, 1000 + OFFSET)
    )


def test_they_run_on_engines(client):
    found = Parallel(n_jobs=-1)(delayed(where)(i) for i in range(50))
    assert set(found) <= set(client[:].apply_sync(os.getpid))


def test_as_many_jobs_as_engines(client):
    assert joblib.effective_n_jobs(-1) == len(client)
    backend, _ = joblib.parallel.get_active_backend()
    assert backend.effective_n_jobs(1) == len(client)
    with pytest.raises(ValueError, match="n_jobs == 0"):
        Parallel(n_jobs=0)(delayed(offset)(i) for i in range(3))


def test_tasks_of_a_view_go_to_its_engines(client):
    client.load_balanced_view(targets=[1]).register_joblib_backend("one")
    found = Parallel(backend="one")(delayed(where)(i) for i in range(10))
    assert set(found) == {client[1].apply_sync(os.getpid)}


@pytest.mark.parametrize("return_as", ["generator", "generator_unordered"])
def test_results_as_they_come(return_as, tmp_path):
    go = tmp_path / "go"
    there = tmp_path / "there"
    there.touch()
    results = Parallel(return_as=return_as, batch_size=1)(
        delayed(until_there)(str(path), i) for i, path in enumerate([there, go, there, there])
    )
    first = next(results)
    assert first in (0, 2, 3) if return_as == "generator_unordered" else first == 0
    go.touch()
    assert sorted([first, *results]) == [0, 1, 2, 3]


def test_two_calls_at_a_time():
    first = Parallel(return_as="generator", batch_size=1)(delayed(offset)(i) for i in range(50))
    second = Parallel(return_as="generator", batch_size=1)(delayed(offset)(i) for i in range(5))
    assert list(second) == list(range(3, 8))
    assert list(first) == list(range(3, 53))


def fails_at_five(i):
    if i == 5:
        raise ZeroDivisionError("five")
    return i


def test_the_exception_is_the_one_that_was_raised():
    with pytest.raises(ZeroDivisionError, match="five") as caught:
        Parallel(batch_size=1)(delayed(fails_at_five)(i) for i in range(20))
    assert isinstance(caught.value, ipp.RemoteError)
    assert Parallel()(delayed(offset)(i) for i in range(3)) == [3, 4, 5]


def test_what_cannot_be_pickled_is_an_error():
    # in the first batches, and in those that joblib submits when others have ended
    inputs = [1] * 50 + [threading.Lock()]
    with pytest.raises(TypeError, match="pickle"):
        Parallel(batch_size=1)(delayed(bool)(i) for i in inputs)
    with pytest.raises(TypeError, match="pickle"):
        Parallel()(delayed(bool)(i) for i in inputs[-1:])


def test_input_may_come_from_the_cluster(client):
    inputs = (client[0].apply_sync(abs, -i) for i in range(20))
    assert Parallel(batch_size=1)(delayed(offset)(i) for i in inputs) == list(range(3, 23))


def fails_or_waits(i, folder):
    if i == 0:
        raise ValueError("the first")
    until_there(os.path.join(folder, "go"), 0)
    Path(folder, f"ran-{i}").touch()


def test_after_an_error_the_others_are_called_off(client, tmp_path):
    with pytest.raises(ValueError, match="the first"):
        Parallel(batch_size=1, pre_dispatch="all")(
            delayed(fails_or_waits)(i, str(tmp_path)) for i in range(40)
        )
    # a task that is called off has ended when its engine has said that it will not run it
    assert client.wait(timeout=30)
    (tmp_path / "go").touch()
    client.load_balanced_view().map_sync(abs, range(10))
    assert len(list(tmp_path.glob("ran-*"))) <= len(client)


def test_a_time_limit(tmp_path):
    go = tmp_path / "go"
    try:
        with pytest.raises(multiprocessing.TimeoutError):
            Parallel(timeout=0.1)(delayed(until_there)(str(go), i) for i in range(2))
    finally:
        go.touch()
    assert Parallel()(delayed(offset)(i) for i in range(3)) == [3, 4, 5]


def says_that_it_runs(folder):
    Path(folder, "running").touch()
    until_there(os.path.join(folder, "go"), 0)


def test_ctrl_c(tmp_path):
    def interrupt():
        until_there(str(tmp_path / "running"), 0)
        signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)

    helper = threading.Thread(target=interrupt)
    helper.start()
    try:
        with pytest.raises(KeyboardInterrupt):
            Parallel()(delayed(says_that_it_runs)(str(tmp_path)) for i in range(2))
    finally:
        (tmp_path / "go").touch()
        helper.join()
    assert Parallel()(delayed(offset)(i) for i in range(3)) == [3, 4, 5]


# ---- joblib in joblib, and threads


def nested(n):
    inner = Parallel(n_jobs=2)(delayed(offset)(i) for i in range(n))
    return inner, joblib.parallel.get_active_backend()[0].__class__.__name__


def nested_by_name(n):
    with joblib.parallel_config("ipyparallel"):
        return Parallel(n_jobs=-1)(delayed(offset)(i) for i in range(n))


def test_a_task_that_uses_joblib_has_threads():
    assert Parallel()(delayed(nested)(i) for i in (2, 3)) == [
        ([3, 4], "ThreadingBackend"),
        ([3, 4, 5], "ThreadingBackend"),
    ]


def test_a_task_starts_no_cluster(client):
    before = client.ids
    assert Parallel()(delayed(nested_by_name)(i) for i in (2, 3)) == [[3, 4], [3, 4, 5]]
    assert client.ids == before


def with_the_engines_of_others(n):
    ipp.get_client().load_balanced_view().register_joblib_backend("mine")
    with joblib.parallel_config("mine"):
        return Parallel(batch_size=1)(delayed(offset)(i) for i in range(n))


def test_a_task_may_wait_for_tasks_of_joblib():
    assert Parallel(batch_size=1, timeout=50)(
        delayed(with_the_engines_of_others)(i) for i in range(6)
    ) == [list(range(3, 3 + i)) for i in range(6)]


def threads_of_libraries():
    import numpy
    from threadpoolctl import threadpool_info

    numpy.ones((2, 2)) @ numpy.ones((2, 2))
    blas = {found["num_threads"] for found in threadpool_info()}
    return blas, os.environ.get("OMP_NUM_THREADS"), joblib.cpu_count()


def cpus():
    return joblib.cpu_count()


def test_the_cpus_are_shared_out_among_engines(client):
    (all_cpus,) = set(client[:].apply_sync(cpus))
    before = client[:].apply_sync(threads_of_libraries)
    share = max(1, all_cpus // len(client))
    for found in Parallel(batch_size=1)(delayed(threads_of_libraries)() for _ in range(6)):
        assert found == ({share}, str(share), share)
    assert client[:].apply_sync(threads_of_libraries) == before


def test_the_user_decides_on_threads():
    with joblib.parallel_config("engines", inner_max_num_threads=2):
        for found in Parallel(batch_size=1)(delayed(threads_of_libraries)() for _ in range(4)):
            assert found[:2] == ({2}, "2")


def environment():
    return os.environ.get("OMP_NUM_THREADS"), os.environ.get("MKL_NUM_THREADS")


def test_the_environment_of_an_engine_decides_on_threads(client):
    set_threads = "import os; os.environ['OMP_NUM_THREADS'] = '7'"
    client[:].execute(set_threads, block=True)
    try:
        found = Parallel(batch_size=1)(delayed(environment)() for _ in range(4))
        assert {omp for omp, _ in found} == {"7"}
    finally:
        client[:].execute("del os.environ['OMP_NUM_THREADS']", block=True)


# ---- scikit-learn


def test_a_grid_search_finds_what_it_finds_without_engines():
    from sklearn.datasets import load_iris
    from sklearn.model_selection import GridSearchCV
    from sklearn.svm import SVC

    data = load_iris()
    grid = {"C": [0.1, 1, 10], "gamma": [0.01, 0.1]}
    with joblib.parallel_config("sequential"):
        expected = GridSearchCV(SVC(), grid, cv=3).fit(data.data, data.target)
    found = GridSearchCV(SVC(), grid, cv=3, n_jobs=-1).fit(data.data, data.target)
    assert found.best_params_ == expected.best_params_
    assert list(found.cv_results_["mean_test_score"]) == list(
        expected.cv_results_["mean_test_score"]
    )


def test_large_arrays_arrive_whole():
    numpy = pytest.importorskip("numpy")
    arrays = [numpy.full(200_000, i) for i in range(4)]
    assert Parallel()(delayed(numpy.sum)(a) for a in arrays) == [200_000 * i for i in range(4)]


# ---- without a view

SCRIPT = """
import joblib
from joblib import Parallel, delayed
import ipyparallel as ipp

SCALE = 2

def scaled(i):
    return SCALE * i

ipp.register_joblib_backend(make_default=True)
for _ in range(2):
    print(Parallel(n_jobs=-1)(delayed(scaled)(i) for i in range(5)))
print(type(joblib.parallel.get_active_backend()[0]).__name__)
"""


FOUND = """
import os
import joblib
from joblib import Parallel, delayed
import ipyparallel as ipp

ipp.register_joblib_backend()
cluster = ipp.Cluster(n=2, cluster_id="", log_level=40)
with cluster as rc, joblib.parallel_config("ipyparallel"):
    engines = set(rc[:].apply_sync(os.getpid))
    print(set(Parallel(batch_size=1)(delayed(os.getpid)() for i in range(20))) <= engines)
"""


@pytest.fixture
def run(tmp_path):
    """Runs a script in a profile of its own; what it wrote to stdout."""

    def run(text):
        script = tmp_path / "script.py"
        script.write_text(text)
        run = subprocess.run(
            [sys.executable, str(script)],
            env={**os.environ, "IPYTHONDIR": str(tmp_path / "ipython")},
            capture_output=True,
            text=True,
            timeout=100,
            check=False,
        )
        assert run.returncode == 0, run.stderr
        assert "Traceback" not in run.stderr
        assert not list((tmp_path / "ipython").glob("profile_default/security/*.json"))
        return run.stdout

    return run


def test_without_a_cluster_one_is_started_and_stopped(run):
    assert run(SCRIPT).splitlines() == ["[0, 2, 4, 6, 8]"] * 2 + ["IPythonParallelBackend"]


def test_the_cluster_of_the_profile_is_used(run):
    assert run(FOUND) == "True\n"
