"""What is known of a tutorial, and how it is played."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import pexpect
import psutil
from nbclient.exceptions import CellControlSignal, DeadKernelError

from tests.support.processes import Process, our_environment, peer_environment, wait_until

from .cells import Cell
from .notebook import Notebook
from .seen import Expected, Seen
from .terminal import PastingTerminal, Terminal

#: The kinds of session, by the names that tests give them.
FORMS = {"terminal": Terminal, "pasted": PastingTerminal, "notebook": Notebook}

#: Seconds for engines to register; the published ones take long on a busy machine.
_START = 100.0

#: Seconds that a session's processes have to end by themselves.
_GRACE = 20.0

#: Held by who reads the code of cells: sessions are played in threads, and Python 3.11 may fail if
#: two of them make syntax trees ("AST constructor recursion depth mismatch").
_PARSER = threading.Lock()


@dataclass(frozen=True)
class Tutorial:
    """A tutorial, without its text.

    Parameters
    ----------
    name : str
        What its file's name begins with.
    cells : callable
        Finds the cells in the text, given the form of the session.
    count : int
        So many cells there are.
    expected : dict
        What should come of a cell, by its position; any other must only not fail.
    aside : dict
        What the tutorial takes for granted and does not say: code by the position of the cell
        that it goes before.
    ipcluster : callable
        The arguments of the ``ipcluster`` that it has its reader call, given the form; empty if
        the session starts its own cluster.
    files : callable
        The files that it expects beside the session, by name, given the text.
    """

    name: str
    cells: Callable[[str, str], list[Cell]]
    count: int
    expected: dict[int, Expected]
    ipcluster: Callable[[str], list[str]]
    aside: dict[int, str] = field(default_factory=dict)
    files: Callable[[str], dict[str, str]] = lambda text: {}


@dataclass(frozen=True)
class Step:
    """A cell as played."""

    name: str
    cell: Cell
    expected: Expected
    position: int | None = None


def steps(tutorial: Tutorial, text: str, form: str) -> list[Step]:
    """What is typed, in order.

    Raises
    ------
    ValueError
        The text is not the one that the tutorial's table is about.
    """
    with _PARSER:
        cells = tutorial.cells(text, form)
    if len(cells) != tutorial.count:
        raise ValueError(f"{len(cells)} cells were found, {tutorial.count} are known")
    script = []
    for i, cell in enumerate(cells):
        expected = tutorial.expected.get(i, Expected(""))
        if expected.piece not in cell.code:
            raise ValueError(f"{expected.piece!r} is not in cell {i}, which is {cell.code!r}")
        if i in tutorial.aside:
            script.append(Step(f"aside before cell {i}", Cell(tutorial.aside[i]), Expected("")))
        if expected.only in (None, form):
            script.append(Step(f"cell {i}", cell, expected, i))
    return script


def play(
    tutorial: Tutorial,
    text: str,
    form: str,
    folder: Path,
    python: str,
    *,
    grace: float = _GRACE,
) -> list[str]:
    """Play a tutorial as a reader does; what was not as it should be.

    Parameters
    ----------
    form : str
        A key of `FORMS`.
    folder : Path
        The session's own: it works here, and all that it keeps is here.
    python : str
        The python to play it with: this package is there if it is the one that runs, and else
        what is installed.
    grace : float
        Seconds that the session's processes have to end by themselves after it.

    Raises
    ------
    ValueError
        The text is not the one that the tutorial's table is about.
    AssertionError
        There is no cluster.
    """
    script = steps(tutorial, text, form)
    env = _environment(python, folder)
    for name, content in tutorial.files(text).items():
        (folder / name).write_text(content)
    told = folder / "told.jsonl"
    told.touch()
    problems: list[str] = []
    with (
        _nothing_left(env, problems, grace),
        _cluster(tutorial.ipcluster(form), python, folder, env),
    ):
        session = FORMS[form](python, folder, {**env, "IPP_TOLD": str(told)}, told)
        seen: list[Seen] = []
        try:
            seen.extend(session.play([step.cell for step in script]))
        except (
            pexpect.ExceptionPexpect,
            CellControlSignal,
            DeadKernelError,
        ) as e:
            at = script[min(len(seen), len(script) - 1)]
            problems.append(f"{at.name} did not end: {type(e).__name__}: {e}\n{at.cell.code}")
        finally:
            session.end()
    return problems + _compare(script, seen)


def _compare(script: Sequence[Step], seen: Sequence[Seen]) -> list[str]:
    problems = []
    earlier: dict[int, Seen] = {}
    for step, came in zip(script, seen, strict=False):
        problems += [
            f"{step.name}: {problem}\n  typed: {step.cell.code!r}\n  shown: {came.text[-2000:]!r}"
            for problem in step.expected.problems(came, earlier)
        ]
        if step.position is not None:
            earlier[step.position] = came
    return problems


# -- what a tutorial needs around it


def _environment(python: str, folder: Path) -> dict[str, str]:
    base = our_environment() if python == sys.executable else peer_environment(folder)
    return {
        **base,
        # Completion keeps parsed modules here, and finds nothing if it reads one that another
        # session is writing.
        "XDG_CACHE_HOME": str(folder / "cache"),
        "IPYTHONDIR": str(folder / "ipython"),
        "JUPYTER_RUNTIME_DIR": str(folder / "runtime"),
    }


@contextmanager
def _cluster(
    arguments: list[str], python: str, folder: Path, env: Mapping[str, str]
) -> Iterator[None]:
    """The cluster that a tutorial's reader starts in another terminal."""
    if not arguments:
        yield
        return
    command = Path(python).with_name("ipcluster")
    argv = [str(command)] if command.exists() else [python, "-m", "ipyparallel.cluster"]
    cluster = Process([*argv, *arguments], folder / "ipcluster.log", env)
    profile = _profile(arguments)
    security = Path(env["IPYTHONDIR"]) / f"profile_{profile}" / "security"
    try:
        wait_until((security / "ipcontroller-client.json").exists, "the controller", _START)
        ready = (
            "import ipyparallel as ipp\n"
            f"rc = ipp.Client(profile={profile!r}, timeout={_START})\n"
            f"rc.wait_for_engines(4, timeout={_START}, interactive=False)\n"
            "rc.close()\n"
        )
        done = subprocess.run(
            [python, "-c", ready], env=env, cwd=folder, capture_output=True, text=True
        )
        assert done.returncode == 0, f"no cluster:\n{done.stderr}\n{cluster.text}"
        yield
        cluster.send_signal(signal.SIGINT)
        cluster.wait(_GRACE)
    finally:
        cluster.end()


def _profile(arguments: list[str]) -> str:
    for argument in arguments:
        if argument.startswith("--profile="):
            return argument.removeprefix("--profile=")
    return "default"


@contextmanager
def _nothing_left(env: Mapping[str, str], problems: list[str], grace: float) -> Iterator[None]:
    """End what is left of a session, and say so: all that it starts should end with it."""
    try:
        yield
    finally:
        _, left = psutil.wait_procs(list(_processes(env["IPYTHONDIR"])), timeout=grace)
        for process in left:
            with suppress(psutil.NoSuchProcess, psutil.AccessDenied):  # it may be gone
                problems.append(f"left behind: {process.pid} {process.cmdline()}")
                process.kill()
        psutil.wait_procs(left, timeout=_GRACE)


def _processes(ipython_dir: str) -> Iterator[psutil.Process]:
    """The processes that run in a session's environment, which no other shares."""
    for process in psutil.process_iter():
        with suppress(psutil.NoSuchProcess, psutil.AccessDenied):  # it may be gone
            if process.pid != os.getpid() and process.environ().get("IPYTHONDIR") == ipython_dir:
                yield process
