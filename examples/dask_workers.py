"""Engines that are workers of dask, too: data stays on engines, dask works on it.

    python examples/dask_workers.py

Needs dask's package distributed. (This file cannot be named dask.py: it would be imported instead
of dask.)
"""

from __future__ import annotations

from typing import Any

import ipyparallel as ipp


def part_of_engine(name: str) -> Any:
    """What the engine calls `name`; run by dask."""
    from IPython import get_ipython

    return get_ipython().user_ns[name]


def main() -> None:
    """Sum numbers that lie on engines, by both ways."""
    with ipp.Cluster(n=2) as rc:
        rc[:].scatter("part", range(100), block=True)
        with rc.become_dask() as dask:
            print("Workers:", sorted(w["name"] for w in dask.scheduler_info()["workers"].values()))
            parts = dask.run(part_of_engine, "part").values()
            print("By dask:", sum(sum(part) for part in parts))
            print("A tree of tasks:", dask.submit(sum, dask.map(abs, range(-5, 5))).result())
        rc.stop_dask()
        print("By engines:", sum(rc[:].apply_sync(lambda: sum(part))))  # type: ignore[name-defined]  # noqa: F821


if __name__ == "__main__":
    main()
