"""Measure this package against the published one, loky and dask: `python -m benchmarks`."""

import argparse
import datetime
import os
import shutil
import sys
import tempfile
import time
from pathlib import Path

from benchmarks import machine, report
from benchmarks.figures import DASK, GROUPS, LOKY, OURS, PUBLISHED
from benchmarks.measure import Bench
from benchmarks.peer import Spec
from benchmarks.plan import FULL, QUICK

RESULTS = Path(__file__).resolve().parent / "results"


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument(
        "--peer-python",
        metavar="PATH",
        default=os.environ.get("IPP_PEER_PYTHON"),
        help="an interpreter that has the published ipyparallel (default: $IPP_PEER_PYTHON)",
    )
    parser.add_argument(
        "--python",
        metavar="PATH",
        default=sys.executable,
        help="the interpreter that has ours, loky and dask (default: this one)",
    )
    parser.add_argument("--quick", action="store_true", help="fewer rounds and tasks")
    parser.add_argument(
        "--only", nargs="+", metavar="NAME", choices=GROUPS, default=GROUPS, help=", ".join(GROUPS)
    )
    parser.add_argument("--no-reference", action="store_true", help="leave out loky and dask")
    parser.add_argument("--json", metavar="FILE", type=Path, help="where to write the results")
    options = parser.parse_args(arguments)
    for name in ("python", "peer_python"):
        path = getattr(options, name)
        if path:
            found = shutil.which(path)
            if found is None:
                parser.error(f"no such interpreter: {path}")
            # Absolute, since drivers run in another folder; links stay, or a virtual
            # environment's interpreter would become the system's.
            setattr(options, name, os.path.abspath(found))
    return options


def subjects(options: argparse.Namespace) -> list[Spec]:
    """Name what is to be measured, in the order of a round."""
    driver = "benchmarks.drivers.ipp"
    specs = [Spec(OURS, options.python, driver)]
    if options.peer_python:
        specs.append(Spec(PUBLISHED, options.peer_python, driver, keep_path=False))
    if not options.no_reference and {"round-trip", "tasks"}.intersection(options.only):
        specs.append(Spec(LOKY, options.python, "benchmarks.drivers.loky_pool"))
        specs.append(Spec(DASK, options.python, "benchmarks.drivers.dask_cluster"))
    return specs


def main() -> int:
    """Measure, print and save.

    Returns
    -------
    int
        0 when no target was missed, nothing failed and nothing was left running; else 1.
    """
    options = parse()
    if not Path("/proc/self/smaps_rollup").exists():
        print("the benchmark reads /proc/<pid>/smaps_rollup, which this system does not have")
        return 1
    when = datetime.datetime.now().astimezone()
    about = machine.describe()
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="ippb-") as home:
        bench = Bench(
            subjects(options),
            QUICK if options.quick else FULL,
            options.only,
            Path(home),
            lambda line: print(f"[{time.monotonic() - began:4.0f} s] {line}", file=sys.stderr),
        )
        results = bench.run()
    rows = report.compare(results.samples)
    print(report.table(rows, results.versions))
    print(f"\nmachine: {', '.join(f'{name} {value}' for name, value in about.items())}")
    print(f"took: {time.monotonic() - began:.0f} s")
    print(f"processes left behind: {', '.join(results.orphans) or 'none'}")
    for failure in results.failures:
        print(f"failed: {failure}")
    path = options.json or RESULTS / f"{when:%Y-%m-%d-%H%M%S}.json"
    report.save(
        path,
        {
            "date": when.isoformat(timespec="seconds"),
            "machine": about,
            "quick": options.quick,
            "versions": results.versions,
            "figures": report.as_json(rows),
            "samples": results.samples,
            "kept_bytes": results.curves,
            "failures": results.failures,
            "orphans": results.orphans,
        },
    )
    print(f"written: {path}")
    return 0 if report.passed(rows, results.failures, results.orphans) else 1


if __name__ == "__main__":
    sys.exit(main())
