"""Registering the backend of joblib; for what it does see tests/cluster."""

import sys

import pytest

import ipyparallel as ipp

joblib = pytest.importorskip("joblib")


def test_it_is_registered_under_the_name_that_is_asked_for(monkeypatch):
    from joblib import parallel

    monkeypatch.setattr(parallel, "BACKENDS", dict(parallel.BACKENDS))
    monkeypatch.setattr(parallel, "DEFAULT_BACKEND", parallel.DEFAULT_BACKEND)
    ipp.register_joblib_backend()
    assert parallel.BACKENDS["ipyparallel"].__name__ == "IPythonParallelBackend"
    ipp.register_joblib_backend("mine", make_default=True)
    assert parallel.DEFAULT_BACKEND == "mine"
    assert ipp.joblib.register is ipp.register_joblib_backend


def test_without_joblib_it_says_so(monkeypatch):
    monkeypatch.setitem(sys.modules, "joblib", None)
    with pytest.raises(ImportError, match="pip install joblib"):
        ipp.register_joblib_backend()
