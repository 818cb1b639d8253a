"""Drive loky's reusable executor, for reference: processes on one host, no controller."""

import importlib
import time
from typing import Any

from benchmarks.drivers.serve import median_ms, per_second, serve


def noop() -> None:
    """Do nothing; defined in `__main__`, as in a user's script."""


class Loky:
    """The reusable executor that comes with joblib."""

    def __init__(self) -> None:
        began = time.perf_counter()
        self.loky = importlib.import_module("joblib.externals.loky")
        self.import_seconds = time.perf_counter() - began
        self.executor: Any = None

    def about(self) -> dict[str, object]:
        """Tell the version and what importing it took."""
        return {"version": self.loky.__version__, "import": self.import_seconds}

    def start(self, n: int) -> float:
        """Start `n` worker processes; return the seconds until the first result."""
        began = time.perf_counter()
        self.executor = self.loky.get_reusable_executor(max_workers=n)
        self.executor.submit(noop).result()
        return time.perf_counter() - began

    def round_trip(self, warm: int, count: int) -> float:
        """Return the median round trip, in milliseconds."""
        return median_ms(lambda: self.executor.submit(noop).result(), warm, count)

    def tasks(self, warm: int, count: int) -> float:
        """Return the separate tasks done in a second."""
        return per_second(self._run, warm, count)

    def stop(self) -> None:
        """Stop the workers."""
        if self.executor is not None:
            self.executor.shutdown(wait=True)

    def _run(self, count: int) -> None:
        futures = [self.executor.submit(noop) for _ in range(count)]
        for future in futures:
            future.result()


if __name__ == "__main__":
    serve(Loky())
