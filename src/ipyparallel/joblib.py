"""Engines as a backend of joblib, and so of scikit-learn.

>>> import ipyparallel as ipp
>>> ipp.register_joblib_backend()
>>> with joblib.parallel_config("ipyparallel"):
...     search.fit(X, y)

joblib is imported when a backend is registered, not before.
"""

from __future__ import annotations


def register(name: str = "ipyparallel", make_default: bool = False) -> None:
    """Have joblib know the engines of the default cluster as a backend.

    When it is used first, it connects to the cluster of the default profile; if there is none, it
    starts one, which stops with this process. For the engines of another cluster see
    `LoadBalancedView.register_joblib_backend`.

    Parameters
    ----------
    name : str
        What joblib is to call it.
    make_default : bool
        Whether joblib uses it unless it is told otherwise.

    Raises
    ------
    ImportError
        joblib is not installed.
    """
    from .client.joblib_backend.register import register as register_backend

    register_backend(None, name, make_default)
