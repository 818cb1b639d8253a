"""The address of results in ipyparallel 9; they live in `results`."""

from concurrent.futures import ALL_COMPLETED, FIRST_COMPLETED, FIRST_EXCEPTION

from .results import AsyncMapResult, AsyncResult

__all__ = [
    "ALL_COMPLETED",
    "FIRST_COMPLETED",
    "FIRST_EXCEPTION",
    "AsyncMapResult",
    "AsyncResult",
]
