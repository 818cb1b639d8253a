"""Drive ipyparallel: the same lines under this package and under the published one."""

import gc
import importlib
import os
import sys
import time
from typing import Any

from benchmarks.drivers import crowd
from benchmarks.drivers.serve import median_ms, per_second, serve


def noop() -> None:
    """Do nothing; defined in `__main__`, as in a user's script, so that it travels by value."""


class Ipyparallel:
    """A cluster of the ipyparallel that this interpreter imports."""

    def __init__(self) -> None:
        began = time.perf_counter()
        # Not an import statement: it is timed, and its types are not those of one package.
        self.ipp = importlib.import_module("ipyparallel")
        self.import_seconds = time.perf_counter() - began
        self.cluster: Any = None
        self.client: Any = None
        self.balanced: Any = None
        self.direct: Any = None

    def about(self) -> dict[str, object]:
        """Tell the version and what importing it took."""
        return {"version": self.ipp.__version__, "import": self.import_seconds}

    def start(self, n: int) -> float:
        """Start a cluster of `n` engines; return the seconds until a client sees them all."""
        began = time.perf_counter()
        self.cluster = self.ipp.Cluster(n=n, log_level=30)
        self.client = self.cluster.start_and_connect_sync()
        self.client.wait_for_engines(n)
        seconds = time.perf_counter() - began
        self.balanced = self.client.load_balanced_view()
        self.direct = self.client[0]
        return seconds

    def pids(self) -> dict[str, Any]:
        """Return the ids of the controller and of the engines, each having run one task."""
        return {
            "controller": self.cluster.controller.pid,
            "engines": self.client[:].apply_sync(os.getpid),
        }

    def round_trip(self, warm: int, count: int) -> float:
        """Return the median balanced round trip, in milliseconds."""
        return median_ms(lambda: self.balanced.apply_sync(noop), warm, count)

    def direct_round_trip(self, warm: int, count: int) -> float:
        """Return the median round trip to one engine, in milliseconds."""
        return median_ms(lambda: self.direct.apply_sync(noop), warm, count)

    def tasks(self, warm: int, count: int) -> float:
        """Return the separate balanced tasks done in a second."""
        return per_second(self._run, warm, count)

    def run_and_drop(self, batches: int, size: int) -> None:
        """Run `batches` times `size` tasks and keep no result."""
        for _ in range(batches):
            self._run(size)

    def objects(self) -> int:
        """Collect garbage; return how many memory blocks this interpreter then holds."""
        gc.collect()
        return sys.getallocatedblocks()

    def blocked_ahead(self, blocked: int, free: int) -> float:
        """See `crowd.blocked_ahead`."""
        return crowd.blocked_ahead(self.balanced, blocked, free, rounds=3)

    def outstanding(self, size: int) -> float:
        """See `crowd.outstanding`."""
        return crowd.outstanding(self.balanced, len(self.client), size, count=1_000)

    def fairness(self, size: int) -> float:
        """See `crowd.fairness`."""
        other = self.cluster.connect_client_sync()
        try:
            return crowd.fairness(self.balanced, other.load_balanced_view(), size, rounds=10)
        finally:
            other.close()

    def lazy_map(self, items: int) -> None:
        """See `crowd.lazy_map`."""
        crowd.lazy_map(self.balanced, items)

    def stop(self) -> None:
        """Disconnect and stop the cluster."""
        if self.client is not None:
            self.client.close()
        if self.cluster is not None:
            self.cluster.stop_cluster_sync()

    def _run(self, count: int) -> None:
        results = [self.balanced.apply_async(noop) for _ in range(count)]
        for result in results:
            result.get()


if __name__ == "__main__":
    serve(Ipyparallel())
