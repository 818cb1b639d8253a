"""Each form of session reports what its cells showed and raised, with no cluster about."""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path

import pytest

from tests.support.tutorials.cells import Cell
from tests.support.tutorials.seen import Expected
from tests.support.tutorials.tutorial import FORMS, Tutorial, play

CELLS = [
    Cell("import sys\n\ndef f(x):\n    y = x\n\n    return y\n\nf([1, 2])"),
    Cell("print('out')\nprint('err', file=sys.stderr)"),
    Cell("%%timeit -n1 -r1\nx = 1\nx + 1"),
    Cell("1/0"),
    Cell("raise SystemError('unwanted')"),
    Cell("sys.ver", completes=True),
    Cell("%pycat beside.py"),
    Cell("%debug", answers=("product = 6 * 7", "product")),
    Cell("print x"),
]

TUTORIAL = Tutorial(
    name="own",
    cells=lambda text, form: CELLS,
    count=len(CELLS),
    ipcluster=lambda form: [],
    files=lambda text: {"beside.py": "beside = True\n"},
    aside={1: "assert f(3) == 3"},
    expected={
        0: Expected("f(", value=[1, 2]),
        1: Expected("print", value=None, texts=("out\n", "err\n")),
        2: Expected("timeit", texts=("loop",)),
        3: Expected("1/0", raises=("ZeroDivisionError", "ArithmeticError")),
        5: Expected("sys.ver", texts=("'version'",)),
        6: Expected("pycat", texts=("beside = True",)),
        7: Expected("debug", texts=("^42$",), only="terminal"),
        8: Expected("print", raises=("SyntaxError",)),
    },
)


@pytest.mark.parametrize("form", FORMS)
def test_what_is_unexpected_is_told(form: str, tmp_path: Path) -> None:
    problems = play(TUTORIAL, "", form, tmp_path, sys.executable)
    assert [problem.splitlines()[0] for problem in problems] == ["cell 4: raised SystemError"]


@pytest.mark.parametrize("form", FORMS)
def test_a_session_that_ends_is_told_with_the_cell(form: str, tmp_path: Path) -> None:
    cells = [Cell("1"), Cell("import os; os._exit(3)"), Cell("2")]
    short = dataclasses.replace(
        TUTORIAL, cells=lambda text, form: cells, count=3, aside={}, expected={}
    )
    problems = play(short, "", form, tmp_path, sys.executable)
    assert [problem.split(":")[0] for problem in problems] == ["cell 1 did not end"]


def test_what_a_session_leaves_behind_is_ended_and_told(tmp_path: Path) -> None:
    code = """\
from subprocess import DEVNULL, Popen
streams = {'stdin': DEVNULL, 'stdout': DEVNULL, 'stderr': DEVNULL}
p = Popen(['sleep', '600'], start_new_session=True, **streams)"""
    left = dataclasses.replace(
        TUTORIAL, cells=lambda text, form: [Cell(code)], count=1, aside={}, expected={}
    )
    problems = play(left, "", "terminal", tmp_path, sys.executable, grace=0.5)
    assert len(problems) == 1
    assert "left behind" in problems[0]
    assert "sleep" in problems[0]


def test_another_text_needs_another_table(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="9 cells were found, 8 are known"):
        play(dataclasses.replace(TUTORIAL, count=8), "", "terminal", tmp_path, sys.executable)
    wrong = dataclasses.replace(TUTORIAL, expected={0: Expected("elsewhere")})
    with pytest.raises(ValueError, match="'elsewhere' is not in cell 0"):
        play(wrong, "", "terminal", tmp_path, sys.executable)
