"""The example, run as its user does; its numbers against the same counts made here."""

import ast
import os
import re
import signal
import subprocess
import sys
import sysconfig
import uuid
from collections import Counter
from pathlib import Path

import psutil
import pytest

ROOT = Path(__file__).parents[2]
QUICKSTART = ROOT / "examples" / "quickstart.py"
#: In the environment of the example and so of all that it starts.
MARK = "IPP_TEST_QUICKSTART"


def marked_processes(mark):
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get(MARK) == mark:
                found.append(process)
        except psutil.Error:
            continue
    return found


@pytest.fixture
def start_quickstart(tmp_path):
    """Start the example. In the end, nothing that it started may be left."""
    mark = uuid.uuid4().hex
    inherited = [path for path in [os.environ.get("PYTHONPATH")] if path]
    env = {
        **os.environ,
        MARK: mark,
        "IPYTHONDIR": str(tmp_path / "ipython"),
        "PYTHONPATH": os.pathsep.join([str(ROOT / "src"), *inherited]),
        "PYTHONIOENCODING": "utf-8",
    }

    def start(*args):
        return subprocess.Popen(
            [sys.executable, str(QUICKSTART), *args],
            env=env,
            cwd=tmp_path,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
        )

    yield start
    left = marked_processes(mark)
    for process in left:
        process.kill()
    assert left == []


@pytest.fixture
def quickstart(start_quickstart):
    """Run the example; what it wrote."""

    def run(*args, expected_code=0):
        with start_quickstart(*args) as process:
            stdout, stderr = process.communicate(timeout=100)
        assert process.returncode == expected_code, stdout + stderr
        return subprocess.CompletedProcess(process.args, process.returncode, stdout, stderr)

    return run


# ---- the same counts, by other means


def python_files(folder):
    skipped = {"site-packages", "dist-packages", "__pycache__"}
    found = [path for path in folder.rglob("*.py") if skipped.isdisjoint(path.parts[:-1])]
    return sorted(found, key=str)


class Visitor(ast.NodeVisitor):
    def __init__(self):
        self.counts = Counter()
        self.imported = set()

    def visit_FunctionDef(self, node):
        self.counts["functions"] += 1
        self.generic_visit(node)

    visit_AsyncFunctionDef = visit_FunctionDef

    def visit_ClassDef(self, node):
        self.counts["classes"] += 1
        self.generic_visit(node)

    def visit_Import(self, node):
        self.imported |= {alias.name.split(".")[0] for alias in node.names}

    def visit_ImportFrom(self, node):
        if node.level == 0:
            self.imported.add(node.module.split(".")[0])


def count(paths):
    """What is in the files, and by how many of them each name is imported."""
    totals = Counter(files=len(paths))
    importers = Counter()
    for path in paths:
        source = path.read_bytes()
        totals["lines"] += len(source.splitlines())
        visitor = Visitor()
        try:
            visitor.visit(ast.parse(source))
        except (SyntaxError, ValueError):
            totals["do not parse"] += 1
            continue
        totals += visitor.counts
        importers.update(visitor.imported)
    return totals, importers


# ---- the numbers in its output


def number_after(name, output):
    (number,) = re.findall(rf"^ +{name} +([\d,]+)$", output, re.MULTILINE)
    return int(number.replace(",", ""))


def totals_in(output):
    names = "files", "lines", "functions", "classes", "do not parse"
    return {name: number_after(name, output) for name in names}


def table_below(heading, output):
    """The rows, split, of the table that has this in its first line; numbers without commas."""
    _, _, rest = output.partition(heading)
    lines = rest.splitlines()[1:]
    return [line.replace(",", "").split() for line in lines[: lines.index("")]]


def check_counts(output, paths):
    totals, importers = count(paths)
    assert totals_in(output) == {name: totals[name] for name in totals_in(output)}
    most = {name: int(number) for name, number in table_below("most imported", output)}
    assert most == {name: importers[name] for name in most}
    assert sorted(most.values(), reverse=True) == [n for _, n in importers.most_common(10)]


@pytest.mark.filterwarnings("ignore::SyntaxWarning", "ignore::DeprecationWarning")
def test_part_of_the_standard_library(quickstart):
    stdlib = Path(sysconfig.get_path("stdlib"))
    every = python_files(stdlib)
    output = quickstart("--limit", "200").stdout

    assert f"200 files in {stdlib}\n" in output
    check_counts(output, [every[i * len(every) // 200] for i in range(200)])
    shares = table_below("engine     files", output)
    assert [row[0] for row in shares] == ["0", "1", "2", "3", "all"]
    files = [int(row[1]) for row in shares]
    assert min(files) > 0
    assert sum(files[:4]) == files[4] == 200
    busy = [float(row[3]) for row in shares]
    assert sum(busy[:4]) == pytest.approx(busy[4], abs=0.03)
    assert re.search(r"^ +speed-up +\d+\.\d\d x$", output, re.MULTILINE)
    # what only a terminal should get
    assert "\r" not in output
    assert "\x1b" not in output
    # the end of the tour
    assert "RemoteError[2]:ValueError" in output
    assert output.rstrip().splitlines()[-1].startswith("Done")


def test_files_of_all_kinds(quickstart, tmp_path):
    folder = tmp_path / "code"
    contents = {
        "empty.py": b"",
        "plain.py": b"import os, os.path as p\nfrom os import path\nclass A:\n def f(self): ...\n",
        "later.py": b"async def f():\n    import json\n    from . import x\n    from .y import z\n",
        "latin.py": b"# coding: latin-1\nname = '\xe4'\nimport json.decoder\n",
        "escape.py": b"'\\d'",
        "python2.py": b"print 'hello'\n",
        "null.py": b"a = 1\x00\n",
        "coding.py": b"# coding: nonsense\n",
        "deep.py": b"-" * 100_000 + b"1",
        "deeper/also.py": b"import sys\r\n\r\ndef f(): pass\r\n",
        "site-packages/installed.py": b"import nothing\n",
        "not_python.txt": b"import nothing\n",
    }
    for name, content in contents.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    output = quickstart(str(folder)).stdout

    expected = {"files": 10, "lines": 19, "functions": 3, "classes": 1, "do not parse": 4}
    assert totals_in(output) == expected
    imported = table_below("most imported", output)
    assert imported == [["json", "2"], ["os", "1"], ["sys", "1"]]
    _, _, problems = output.partition("These do not parse:\n")
    named = re.findall(r"^    (\S+\.py)$", problems, re.MULTILINE)
    assert named == ["coding.py", "deep.py", "null.py", "python2.py"]


def test_nothing_to_read(quickstart, tmp_path):
    result = quickstart(str(tmp_path), expected_code=2)
    assert f"no Python files to read in {tmp_path}" in result.stderr


@pytest.mark.skipif(sys.platform == "win32", reason="sends a signal as Ctrl-C does")
def test_interrupted(start_quickstart):
    process = start_quickstart()
    for line in process.stdout:
        if line.startswith("Counting"):
            break
    process.send_signal(signal.SIGINT)
    stdout, stderr = process.communicate(timeout=30)
    assert process.returncode == 1
    assert "speed-up" not in stdout
    assert stderr.endswith("Interrupted. The cluster has been stopped.\n")
