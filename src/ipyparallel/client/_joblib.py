"""The old import path of the backend of joblib."""

from .joblib_backend.backend import IPythonParallelBackend

__all__ = ["IPythonParallelBackend"]
