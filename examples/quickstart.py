"""A first look at ipyparallel: a real job on four engines, and a short tour.

The job: read every module of Python's standard library, and count what is in it.

    python examples/quickstart.py                # all of it: about 20 seconds on two cores
    python examples/quickstart.py --limit 200    # a part of it
    python examples/quickstart.py FOLDER         # your own code instead
"""

from __future__ import annotations

import argparse
import io
import os
import platform
import sys
import sysconfig
import textwrap
import time
from collections import Counter
from pathlib import Path
from typing import Any

import psutil

import ipyparallel as ipp

N_ENGINES = 4
#: Not part of what was asked for: packages that somebody installed, and compiled files.
SKIPPED_FOLDERS = {"site-packages", "dist-packages", "__pycache__"}


# ---- What runs on the engines.
#
# A function's globals are the namespace of the engine it runs on, not that of this file. So it
# imports what it needs itself, and returns plain Python objects. The tour shows the other way:
# view.execute("import ...") once, for all functions to come.


def size(path: str) -> int:
    """How many bytes there are in a file. Reads them, so that the next to read it need not wait."""
    from pathlib import Path

    return len(Path(path).read_bytes())


def survey(path: str) -> dict[str, Any]:
    """Count what is in one Python file."""
    import ast
    import warnings
    from pathlib import Path

    source = Path(path).read_bytes()
    counts: dict[str, Any] = {"path": path, "lines": len(source.splitlines()), "problem": None}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of invalid escapes and the like
            tree = ast.parse(source, filename=path)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as e:
        # it is a result as well, and no reason to lose the others
        where = f"line {e.lineno}: " if isinstance(e, SyntaxError) else ""
        counts["problem"] = where + (getattr(e, "msg", None) or repr(e))
        return counts
    functions = classes = 0
    imported: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            functions += 1
        elif isinstance(node, ast.ClassDef):
            classes += 1
        elif isinstance(node, ast.Import):
            imported.update(alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            imported.add(node.module.partition(".")[0])
    counts.update(functions=functions, classes=classes, imported=sorted(imported))
    return counts


# ---- The job.


def python_files(folder: Path, limit: int | None = None) -> list[str]:
    """The Python files below a folder; `limit` of them, spread evenly, if there are more."""
    found = []
    for parent, folders, names in os.walk(folder):
        folders[:] = set(folders) - SKIPPED_FOLDERS
        paths = [os.path.join(parent, name) for name in names if name.endswith(".py")]
        found += [path for path in paths if os.access(path, os.R_OK)]
    found.sort()
    if limit is not None and limit < len(found):
        found = [found[i * len(found) // limit] for i in range(limit)]
    return found


def run(view: ipp.LoadBalancedView, paths: list[str]) -> ipp.AsyncMapResult:
    """Survey the files, a task each, and show how far it is. Returns the finished result."""
    ar: ipp.AsyncMapResult = view.map_async(survey, paths)
    if sys.stderr.isatty():
        ar.wait_interactive()
        return ar
    # a bar would only litter a file or a pipe
    quarters = 0
    done = False
    while not done:
        done = ar.wait(0.1)
        if 4 * ar.progress // len(ar) > quarters:
            quarters = 4 * ar.progress // len(ar)
            print(f"    {ar.progress:,} of {len(ar):,} files")
    return ar


def job(rc: ipp.Client, folder: Path, limit: int | None, busy_before: float) -> None:
    """Survey the files with all engines, then with one, and print what came of it."""
    lview = rc.load_balanced_view()  # whichever engine is free gets the next task
    paths = python_files(folder, limit)
    print(f"\n{len(paths):,} files in {folder}")
    print("Reading them all once, so that nobody has to wait for the disk later ...")
    sizes = lview.map_sync(size, paths, chunksize=50)  # 50 to a task
    print(f"    {sum(sizes) / 1e6:.1f} MB, the largest {max(sizes) / 1e3:,.0f} kB")

    print(f"Counting what is in them, a task for each, on {len(rc)} engines ...")
    shared = run(lview, paths)
    print("The same once more, on one engine ...")
    alone = run(rc.load_balanced_view(targets=rc.ids[0]), paths)

    surveys = shared.get()
    if alone.get() != surveys:
        raise AssertionError("one engine and several do not agree")
    print_counts(surveys, folder)
    print_shares(shared)
    print_speed(shared, alone, len(rc), busy_before)


# ---- What is printed.


def print_counts(surveys: list[dict[str, Any]], folder: Path) -> None:
    """Print the totals, what is imported most, and the files that are not Python."""
    good = [each for each in surveys if each["problem"] is None]
    rows = {
        "files": len(surveys),
        "lines": sum(each["lines"] for each in surveys),
        "functions": sum(each["functions"] for each in good),
        "classes": sum(each["classes"] for each in good),
        "do not parse": len(surveys) - len(good),
    }
    print()
    for name, count in rows.items():
        print(f"    {name:<16}{count:>12,}")

    importers = Counter(name for each in good for name in each["imported"])
    print(f"\n    {'most imported':<16}{'by files':>12}")
    for name, count in sorted(importers.items(), key=lambda item: (-item[1], item[0]))[:10]:
        print(f"    {name:<16}{count:>12,}")

    bad = sorted((each["path"], each["problem"]) for each in surveys if each["problem"])
    if bad:
        print("\n    These do not parse:")
    for path, problem in bad[:12]:
        print(f"    {os.path.relpath(path, folder)}")
        print(f"        {textwrap.shorten(problem, 84)}")
    if len(bad) > 12:
        print(f"    ... and {len(bad) - 12:,} more")


def print_shares(ar: ipp.AsyncMapResult) -> None:
    """Print which engine did how much: every result knows where and when it was computed."""
    files: Counter[int] = Counter(ar["engine_id"])
    busy: Counter[int] = Counter()
    for engine, started, completed in zip(
        ar["engine_id"], ar["started"], ar["completed"], strict=True
    ):
        busy[engine] += (completed - started).total_seconds()
    print(f"\n    {'engine':<8}{'files':>8}{'share':>8}{'busy':>12}")
    for engine in sorted(files):
        share = files[engine] / len(ar)
        print(f"    {engine:<8}{files[engine]:>8,}{share:>8.0%}{busy[engine]:>10.2f} s")
    print(f"    {'all':<8}{len(ar):>8,}{1:>8.0%}{ar.serial_time:>10.2f} s")


def print_speed(
    shared: ipp.AsyncMapResult, alone: ipp.AsyncMapResult, n: int, busy_before: float
) -> None:
    """Print how long it took, and how much there was to gain."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    most = min(n, cores or 1)
    print(f"\n    {'one engine':<16}{alone.wall_time:>10.2f} s")
    print(f"    {f'{n} engines':<16}{shared.wall_time:>10.2f} s")
    print(f"    {'speed-up':<16}{alone.wall_time / shared.wall_time:>10.2f} x")
    print(f"    On {cores} cores, {n} engines can be at most {most} times as fast as one.")
    if most < n:
        print("    They share the cores: part of the time they are busy, they wait for one.")
    if busy_before > 0.1:
        print(f"    Not a fair measure: the cores were {busy_before:.0%} busy before this began.")


# ---- The tour.

#: A name of this file. On the engines, functions see the engine's `scale` instead.
scale = 1


def scaled(x: float) -> float:
    """Multiply with the `scale` of wherever this runs."""
    return scale * x


def tour(rc: ipp.Client) -> None:
    """What else can be done with engines, as in the tutorials."""
    print("\nA direct view does on each of its engines what it is asked to:")
    dview = rc[:]
    dview.block = True  # wait for results
    print(f"    {rc.ids = }")
    print(f"    {dview = }")
    print(f"    {dview.apply(os.getpid) = }")
    print(f"    {dview.map(lambda x: x**10, range(8)) = }")

    print("\nEngines keep what they are given. A view is a dictionary of their names:")
    dview.push({"a": 1.03234, "b": 3453})
    print(f"    {dview.pull('a') = }")
    print(f"    {dview.pull(('a', 'b'), targets=0) = }")
    dview["a"] = ["foo", "bar"]
    print(f"    {dview['a'] = }")

    print("\nFunctions use the engine's names, so that a variable can differ from here to there:")
    print(f"    {scale = }")
    print(f"    {scaled(7) = }")
    dview["scale"] = 10
    rc[0]["scale"] = 0.5
    print(f"    {dview['scale'] = }")
    print(f"    {dview.apply(scaled, 7) = }")

    print("\nA sequence can be scattered, worked on where it is, and gathered:")
    dview.scatter("x", list(range(16)))
    print(f"    {dview['x'] = }")
    dview.execute("import math")
    dview.execute("y = [math.sqrt(i) for i in x]")
    print("    dview.execute('y = [math.sqrt(i) for i in x]')")
    print(f"    {sum(dview.gather('y')) = }")

    print("\nWhat engines print comes here, too:")
    print("    dview.execute('print(sum(x))')")
    ar = dview.execute("print(sum(x))")
    for engine, text in zip(ar["engine_id"], ar.stdout, strict=True):
        print(f"    [stdout:{engine}] {text}", end="")

    print("\nInstead of waiting, one can have the result later:")
    ar = dview.apply_async(time.sleep, 0.2)
    print(f"    {ar.ready() = }")
    print(f"    {ar.get() = }")
    print(f"    {ar = }")

    print("\nIf a call fails, the errors of all engines are collected:")
    print("    dview.execute('1 / 0')")
    try:
        dview.execute("1 / 0")
    except ipp.CompositeError as e:
        print("\n".join(f"    {line}" for line in str(e).splitlines()))
    print("\nIf only some fail, the results of the others need not be lost:")
    rc[2]["x"] = []
    ar = dview.apply_async(lambda: max(x))  # type: ignore[name-defined]  # noqa: F821
    for result in ar.get(return_exceptions=True):
        print(f"    {result!r}")


def main() -> None:
    """Start a cluster, do the job, take the tour, stop the cluster."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument(
        "folder",
        nargs="?",
        type=Path,
        default=Path(sysconfig.get_path("stdlib")),
        help="Python files to read; by default the standard library",
    )
    parser.add_argument("--limit", type=int, metavar="N", help="read only so many files")
    options = parser.parse_args()
    if not python_files(options.folder, options.limit):
        parser.error(f"there are no Python files to read in {options.folder}")
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(line_buffering=True)  # keep the order of output and log in a file

    busy_before = psutil.cpu_percent(interval=0.2) / 100
    began = time.perf_counter()
    print(f"ipyparallel {ipp.__version__}, Python {platform.python_version()}")
    with ipp.Cluster(n=N_ENGINES) as rc:
        print(f"{len(rc)} engines are ready after {time.perf_counter() - began:.2f} s: {rc}")
        job(rc, options.folder, options.limit, busy_before)
        tour(rc)
        print()
    print(f"Done, and the cluster is gone, after {time.perf_counter() - began:.1f} s.")


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit("\nInterrupted. The cluster has been stopped.")
