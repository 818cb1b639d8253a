"""Errors of engines as the user meets them."""

from __future__ import annotations

import asyncio
import pickle
import subprocess
import sys

import pytest

import ipyparallel as ipp
from tests.support.processes import SRC, wait_until


@pytest.mark.parametrize("how", ["apply", "balanced", "execute"])
def test_what_get_raises_is_remote_and_of_the_original_type(how: str, client: ipp.Client) -> None:
    if how == "apply":
        ar = client[0].apply_async(open, "/nowhere/at/all")
    elif how == "balanced":
        ar = client.load_balanced_view().apply_async(open, "/nowhere/at/all")
    else:
        ar = client[0].execute("open('/nowhere/at/all')")
    with pytest.raises(FileNotFoundError) as raised:
        ar.get(20)
    error = raised.value
    assert isinstance(error, ipp.RemoteError)
    assert (error.errno, error.filename) == (2, "/nowhere/at/all")
    assert error.ename == "FileNotFoundError"
    assert error.engine_info["engine_id"] in client.ids
    assert error.engine_info["method"] == ("execute" if how == "execute" else "apply")
    assert error is ar.metadata.error
    twin = pickle.loads(pickle.dumps(error))
    assert isinstance(twin, FileNotFoundError)
    assert str(twin) == str(error)
    assert twin.render_traceback() == error.render_traceback()


def test_an_exception_made_on_the_engine_is_told_as_it_is(client: ipp.Client) -> None:
    code = "class Sour(Exception):\n    def __init__(self): self.ph = 3\nraise Sour"
    with pytest.raises(ipp.RemoteError) as raised:
        client[0].execute(code, block=True)
    assert raised.value.ename == "Sour"
    assert raised.value.ph == 3
    pickle.loads(pickle.dumps(raised.value))


def test_a_syntax_error_is_one(client: ipp.Client) -> None:
    with pytest.raises(SyntaxError) as raised:
        client[0].execute("1 +", block=True)
    assert raised.value.lineno == 1
    assert raised.value.ename == "SyntaxError"


def test_several_engines_raise_a_group(client: ipp.Client) -> None:
    caught = []
    try:
        client[:].apply_sync(lambda: 1 / 0)
    except* ZeroDivisionError as e:
        caught += e.exceptions
    assert [e.engine_info["engine_id"] for e in caught] == client.ids


def test_different_errors_of_several_engines(client: ipp.Client) -> None:
    client[0].push({"number": 0}, block=True)
    client[1].push({"number": "x"}, block=True)
    with pytest.raises(ipp.CompositeError) as raised:
        client[:].execute("1 / number", block=True)
    error = raised.value
    assert isinstance(error.exceptions[0], ZeroDivisionError)
    assert isinstance(error.exceptions[1], TypeError)
    assert [ename for ename, *_ in error.elist] == ["ZeroDivisionError", "TypeError"]
    with pytest.raises(TypeError):
        error.raise_exception(1)
    twin = pickle.loads(pickle.dumps(error))
    assert twin.elist == error.elist
    assert [type(e).__bases__ for e in twin.exceptions] == [
        type(e).__bases__ for e in error.exceptions
    ]


def test_failures_as_results_are_of_the_original_type(client: ipp.Client) -> None:
    ar = client[:].map_async(lambda x: 1 / x, [1, 0])
    one, failure = ar.get(20, return_exceptions=True)
    assert one == 1.0
    assert isinstance(failure, ZeroDivisionError)


def test_a_debugger_entered_after_a_failure_stands_at_the_result(client: ipp.Client) -> None:
    result = client[:].execute("1/0")
    with pytest.raises(ipp.CompositeError) as info:
        result.get(20)
    frame = info.traceback[-1].frame
    assert frame.f_locals["self"] is result
    assert frame.eval("self._exception") is info.value


def test_an_awaited_failure_is_of_the_original_type(client: ipp.Client) -> None:
    seen = []

    async def collect(ar: ipp.AsyncResult) -> None:
        async for item in ar:
            seen.append(item)

    async def main() -> None:
        with pytest.raises(ZeroDivisionError):
            await client[0].apply_async(lambda: 1 / 0)
        with pytest.raises(ipp.CompositeError):
            await collect(client.load_balanced_view().map_async(lambda x: 1 / x, [1, 2, 0]))

    asyncio.run(main())
    assert seen == [1.0, 0.5]


SCRIPT = """
import sys
import ipyparallel as ipp

class Mine(Exception):
    def __init__(self, code):
        super().__init__(code)
        self.code = code

def fail(code):
    raise Mine(code)

with ipp.Client(sys.argv[1]) as client:
    client.clear(block=True)
    view = client[0]
    try:
        view.apply_sync(fail, 3)
    except NameError as e:
        print("not there:", e.__notes__[-1])
    view.push({"Mine": Mine}, block=True)
    try:
        view.apply_sync(fail, 3)
    except Mine as e:
        print("caught", e.code, isinstance(e, ipp.RemoteError))
    if sys.argv[2] == "one":
        view.apply_sync(fail, 4)
    client[:].execute("def fail():\\n    1 / 0\\nfail()", block=True)
"""


@pytest.fixture
def script(client: ipp.Client, tmp_path):
    path = tmp_path / "script.py"
    path.write_text(SCRIPT)
    cluster = client.cluster
    file = cluster.controller.connection_files["client"]

    def run(argument: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, path, file, argument],
            env={"PYTHONPATH": str(SRC)},
            capture_output=True,
            text=True,
            timeout=60,
        )

    return run


def test_a_class_of_the_script_is_caught_once_the_engine_knows_it(script) -> None:
    ended = script("one")
    assert "not there: Mine is defined here, but not on the engine" in ended.stdout
    assert "caught 3 True" in ended.stdout


def test_python_shows_the_traceback_of_the_engine(script) -> None:
    ended = script("one")
    local, remote = ended.stderr.split("ipyparallel.error.RemoteError: [0:apply] Mine: 4\n")
    assert "view.apply_sync(fail, 4)" in local
    assert "raise Mine(code)" in remote
    assert "\x1b[" not in remote


def test_python_shows_the_tracebacks_of_a_group(script) -> None:
    ended = script("several")
    assert "one or more exceptions raised in: execute" in ended.stderr
    assert ended.stderr.count("RemoteError: [") == 2
    assert ended.stderr.count("-> ") >= 2


SHELL = """
import sys
from IPython.core.interactiveshell import InteractiveShell

shell = InteractiveShell.instance(colors="NoColor")

def run(code):
    print("=== " + code.splitlines()[0], flush=True)
    error = shell.run_cell(code).error_in_exec
    print("--- " + type(error).__name__, getattr(sys, "last_value", None) is error, flush=True)

run("import ipyparallel as ipp\\nclient = ipp.Client(FILE)\\nview = client[:]")
run("view.execute('1/0', block=True)")
run("client[0].execute('1/0', block=True)")
run(
    "try:\\n    view.execute('1/0', block=True)\\n"
    "except ipp.CompositeError as e:\\n    e.raise_exception(1)"
)
run("local = 1\\n1/0")
"""


def test_ipython_shows_remote_tracebacks_in_place_of_local_ones(client: ipp.Client) -> None:
    """In a shell of its own: what is shown, and what is left for %debug."""
    file = client.cluster.controller.connection_files["client"]
    program = SHELL.replace("FILE", repr(str(file)))
    ended = subprocess.run(
        [sys.executable, "-c", program],
        env={"PYTHONPATH": str(SRC), "IPYTHONDIR": str(client.cluster.profile_dir)},
        capture_output=True,
        text=True,
        timeout=60,
    )
    _, connect, several, single, handled, local = ended.stdout.split("=== ")
    assert "--- NoneType" in connect
    assert [line for line in several.splitlines() if line.startswith("[")] == [
        "[0:execute]:",
        "[1:execute]:",
    ]
    assert "--- CompositeError True" in several
    assert "[0:execute]\n" in single
    assert "--- RemoteError True" in single
    assert "[1:execute]" in handled
    assert "During handling" not in handled
    assert "[0:" not in local
    assert "ZeroDivisionError" in local
    assert ended.stderr == ""


@pytest.mark.parametrize("how", ["apply", "execute"])
def test_an_interrupted_task_shows_nothing_of_the_engine(how: str, client: ipp.Client) -> None:
    view = client[0]
    code = "def nap():\n    import time\n    print('asleep', flush=True)\n    time.sleep(60)\n"
    view.execute(code, block=True)
    if how == "apply":
        ar = view.apply_async(ipp.Reference("nap"))
    else:
        ar = view.execute("nap()")
    wait_until(lambda: "asleep" in ar.stdout, "the task to begin")
    client.send_signal("SIGINT", 0, block=True)
    with pytest.raises(ipp.RemoteError) as raised:
        ar.get(20)
    assert raised.value.ename == "KeyboardInterrupt"
    assert "nap" in raised.value.traceback
    assert "interrupt(" not in raised.value.traceback
    assert "ipyparallel/engine" not in raised.value.traceback


def test_an_error_in_c_code_has_no_frames_at_all(client: ipp.Client) -> None:
    with pytest.raises(TypeError) as raised:
        client[0].apply_sync(abs, "x")
    assert "ipyparallel" not in raised.value.traceback
    assert "TypeError" in raised.value.traceback
