"""What an engine does with a batch of joblib's: run it, with few threads in its libraries.

As many engines as there are CPUs, each of whose BLAS starts as many threads as there are CPUs,
are slower than without any: so while a batch runs, the CPUs of a host are shared out among its
engines. joblib does the same for its own processes.
"""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from typing import Any

#: Read by libraries when they are loaded, and by processes that a task starts.
_VARIABLES = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "BLIS_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "NUMBA_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
)

#: What joblib takes for the number of CPUs, and so for the threads of calls inside of a batch.
_CPUS = "LOKY_MAX_CPU_COUNT"


def run_batch(
    batch: Callable[[], Any], inner_threads: int | None, engines: Mapping[str, int]
) -> Any:
    """Call `batch`; on an engine.

    Parameters
    ----------
    batch : callable
    inner_threads : int or None
        The number of threads that the user wants its libraries to have.
    engines : mapping
        How many engines there are, by host; ``""`` for hosts that are not known.
    """
    with limited_threads(inner_threads, engines):
        return batch()


@contextmanager
def limited_threads(inner_threads: int | None, engines: Mapping[str, int]) -> Iterator[None]:
    """A context in which libraries have few threads; see `run_batch`."""
    wanted = inner_threads or _share(engines.get(socket.gethostname()) or engines.get("") or 1)
    # what the environment of an engine says was somebody's decision, too
    decided = inner_threads is None and any(name in os.environ for name in _VARIABLES[:4])
    before = {name: os.environ.get(name) for name in (*_VARIABLES, _CPUS)}
    for name, value in before.items():
        if inner_threads is not None or value is None:
            os.environ[name] = str(wanted)
    try:
        with nullcontext() if decided else _loaded_libraries(wanted):
            yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def _share(engines: int) -> int:
    from joblib import cpu_count

    return int(max(1, cpu_count() // engines))


_libraries: tuple[int, Any] = (-1, None)


def _loaded_libraries(threads: int) -> Any:
    """A context in which the libraries that are loaded have so many threads.

    Without threadpoolctl, which comes with scikit-learn, this does nothing.
    """
    global _libraries
    try:
        from threadpoolctl import ThreadpoolController
    except ModuleNotFoundError:
        return nullcontext()
    loaded = len(sys.modules)
    if _libraries[0] != loaded:
        # looks through all that the process has loaded, which takes its time
        _libraries = loaded, ThreadpoolController()
    return _libraries[1].limit(limits=threads)
