"""How many threads libraries have while a batch runs."""

import os
import socket

import joblib
import pytest

from ipyparallel.client.joblib_backend import batch
from ipyparallel.client.joblib_backend.batch import limited_threads, run_batch

HERE = socket.gethostname()


@pytest.fixture(autouse=True)
def many_cpus(monkeypatch):
    monkeypatch.setattr(joblib, "cpu_count", lambda: 12)
    for name in (*batch._VARIABLES, batch._CPUS):
        monkeypatch.delenv(name, raising=False)


def threads():
    return os.environ.get("OMP_NUM_THREADS")


@pytest.mark.parametrize(
    ("inner_threads", "engines", "expected"),
    [
        (None, {"": 4}, "3"),
        (None, {HERE: 2, "elsewhere": 10, "": 12}, "6"),
        (None, {"elsewhere": 10, "": 24}, "1"),
        (5, {"": 4}, "5"),
    ],
)
def test_the_share_of_an_engine(inner_threads, engines, expected):
    assert run_batch(threads, inner_threads, engines) == expected
    assert threads() is None


def test_what_the_environment_says_stays(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "8")
    with limited_threads(None, {"": 4}):
        assert (threads(), os.environ["MKL_NUM_THREADS"]) == ("8", "3")
    with limited_threads(2, {"": 4}):
        assert threads() == "2"
    assert threads() == "8"


def test_also_after_a_failure():
    def fails():
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        run_batch(fails, None, {"": 4})
    assert threads() is None


def test_libraries_that_are_loaded_have_as_many_threads():
    import numpy as np
    from threadpoolctl import threadpool_info

    np.ones((2, 2)) @ np.ones((2, 2))
    before = [found["num_threads"] for found in threadpool_info()]
    with limited_threads(1, {"": 1}):
        assert {found["num_threads"] for found in threadpool_info()} == {1}
    assert [found["num_threads"] for found in threadpool_info()] == before
