"""Drive dask.distributed on one host, for reference."""

import importlib
import logging
import time
from typing import Any

from benchmarks.drivers.serve import median_ms, per_second, serve


def noop() -> None:
    """Do nothing; defined in `__main__`, as in a user's script."""


class Dask:
    """A local cluster with one thread a worker and no dashboard."""

    def __init__(self) -> None:
        began = time.perf_counter()
        self.distributed = importlib.import_module("distributed")
        self.import_seconds = time.perf_counter() - began
        self.cluster: Any = None
        self.client: Any = None

    def about(self) -> dict[str, object]:
        """Tell the version and what importing it took."""
        return {"version": self.distributed.__version__, "import": self.import_seconds}

    def start(self, n: int) -> float:
        """Start `n` workers; return the seconds until a client sees them all."""
        began = time.perf_counter()
        self.cluster = self.distributed.LocalCluster(
            n_workers=n,
            threads_per_worker=1,
            dashboard_address=None,
            silence_logs=logging.WARNING,
        )
        self.client = self.distributed.Client(self.cluster)
        self.client.wait_for_workers(n)
        return time.perf_counter() - began

    def round_trip(self, warm: int, count: int) -> float:
        """Return the median round trip, in milliseconds."""
        return median_ms(lambda: self._submit().result(), warm, count)

    def tasks(self, warm: int, count: int) -> float:
        """Return the separate tasks done in a second."""
        return per_second(self._run, warm, count)

    def stop(self) -> None:
        """Disconnect and stop the cluster."""
        if self.client is not None:
            self.client.close()
        if self.cluster is not None:
            self.cluster.close()

    def _submit(self) -> Any:
        # A pure call is answered from the first one's result, which measures nothing.
        return self.client.submit(noop, pure=False)

    def _run(self, count: int) -> None:
        futures = [self._submit() for _ in range(count)]
        for future in futures:
            future.result()


if __name__ == "__main__":
    serve(Dask())
