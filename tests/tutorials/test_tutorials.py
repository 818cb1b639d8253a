"""Tutorials of four generations of this interface run as they are written.

Others wrote them, so they are not part of this repository: ``IPP_TUTORIALS`` names their folder,
which otherwise is ``shared/seeds`` beside the repository. Each is played in a terminal, statement
by statement, and executed as a notebook. ``IPP_TUTORIALS_PYTHON`` names another python to play
them with, such as one that has the published package.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.support.tutorials import direct_notebook, direct_page, magics_notebook, remote_notebook
from tests.support.tutorials.tutorial import Tutorial, play

_FOLDER = Path(
    os.environ.get("IPP_TUTORIALS") or Path(__file__).parents[2].parent / "shared" / "seeds"
)

#: In the order of how long they sleep.
_TUTORIALS = [
    module.TUTORIAL for module in (direct_notebook, direct_page, remote_notebook, magics_notebook)
]

_RUNS = [
    pytest.param((tutorial, form), id=f"{tutorial.name}-{form}")
    for tutorial in _TUTORIALS
    for form in ("terminal", "notebook", *(["pasted"] if tutorial.name == "001" else []))
]


@pytest.fixture(scope="module")
def sessions(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, Future[list[str]]]]:
    """All the sessions that tests ask for, at once: they sleep most of the time."""
    python = os.environ.get("IPP_TUTORIALS_PYTHON") or sys.executable
    with ThreadPoolExecutor(len(_RUNS)) as pool:
        started = {}
        for item in request.session.items:
            if item.parent is request.node and (call := getattr(item, "callspec", None)):
                tutorial, form = call.params["run"]
                text = _text(tutorial)
                if text is not None:
                    folder = tmp_path_factory.mktemp(call.id)
                    started[call.id] = pool.submit(play, tutorial, text, form, folder, python)
        yield started


@pytest.mark.timeout(200)
@pytest.mark.parametrize("run", _RUNS)
def test_runs_as_written(run: tuple[Tutorial, str], sessions: dict[str, Future[list[str]]]) -> None:
    tutorial, form = run
    session = sessions.get(f"{tutorial.name}-{form}")
    if session is None:
        pytest.skip(
            f"there is no {tutorial.name}_*.txt in {_FOLDER}: set IPP_TUTORIALS to the folder "
            "that holds the tutorials"
        )
    problems = session.result()
    assert not problems, "\n\n".join(problems)


def _text(tutorial: Tutorial) -> str | None:
    """The text, if it is there."""
    found = sorted(_FOLDER.glob(f"{tutorial.name}_*.txt"))
    return found[0].read_text(encoding="utf-8") if found else None
