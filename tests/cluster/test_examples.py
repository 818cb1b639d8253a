"""The examples, each run as its user does; see `test_quickstart` for the large one."""

from __future__ import annotations

import os
import subprocess
import sys
import uuid
from pathlib import Path

import psutil
import pytest

ROOT = Path(__file__).parents[2]
MARK = "IPP_TEST_EXAMPLE"

#: What each writes.
EXPECTED = {
    "dask_workers.py": [
        "Workers: ['engine-0', 'engine-1']",
        "By dask: 4950",
        "A tree of tasks: 25",
        "By engines: 4950",
    ],
    "futures.py": [
        "as_completed: [1000000007, 1000000009]",
        "wait: [False, True] 0 pending",
        "map: [2, 3, 5, 7, 11, 13, 17, 19, 23, 29]",
        "await: True",
        "gather: [True, False]",
        "run_in_executor: True",
        "async for: 25 primes",
    ],
    "joblib_grid_search.py": [
        "Best of 9 classifiers: {'C': 10.0, 'gamma': 0.001}",
        "It knows 97.6% of the digits.",
    ],
    "progress.py": ["2.00 s of work"],
    "submit_and_go_home.py": [
        "Submitted 20 tasks.",
        "Found 20 of 20 tasks.",
        "Pi is about 3.143.",
        "20 tasks have ended, each in less than a minute: True",
        "Left: []",
    ],
}


def processes_of(mark: str) -> list[psutil.Process]:
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get(MARK) == mark:
                found.append(process)
        except psutil.Error:
            continue
    return found


def test_all_examples_are_tested():
    assert {p.name for p in (ROOT / "examples").glob("*.py")} == {*EXPECTED, "quickstart.py"}


@pytest.mark.parametrize("name", EXPECTED)
def test_example(name, tmp_path):
    mark = uuid.uuid4().hex
    inherited = [path for path in [os.environ.get("PYTHONPATH")] if path]
    env = {
        **os.environ,
        MARK: mark,
        "IPYTHONDIR": str(tmp_path / "ipython"),
        "PYTHONPATH": os.pathsep.join([str(ROOT / "src"), *inherited]),
    }
    try:
        run = subprocess.run(
            [sys.executable, "-W", "error", str(ROOT / "examples" / name)],
            env=env,
            cwd=tmp_path,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=100,
            check=False,
        )
        assert run.returncode == 0, run.stderr
        assert "Traceback" not in run.stderr
        # whichever engine was faster
        lines = [
            line.replace("[1000000009, 1000000007]", "[1000000007, 1000000009]")
            for line in run.stdout.splitlines()
        ]
        assert lines == EXPECTED[name]
    finally:
        left = processes_of(mark)
        for process in left:
            process.kill()
    assert left == []
