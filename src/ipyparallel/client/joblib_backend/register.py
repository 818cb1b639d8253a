"""Tells joblib of the engines. joblib is imported when that is asked for."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..views.balanced import LoadBalancedView


def register(view: LoadBalancedView | None, name: str, make_default: bool) -> None:
    """Register a backend that uses this view.

    Raises
    ------
    ImportError
        joblib is not installed.
    """
    try:
        import joblib
    except ModuleNotFoundError as e:
        if e.name != "joblib":
            raise
        raise ImportError(
            "the joblib backend needs joblib, which this process cannot import; install it with"
            " `pip install joblib`, here and where the engines are",
            name="joblib",
        ) from None
    from .backend import IPythonParallelBackend

    factory = IPythonParallelBackend if view is None else partial(IPythonParallelBackend, view)
    joblib.register_parallel_backend(name, factory, make_default=make_default)
