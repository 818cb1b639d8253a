"""Tutorial 002: a page of documentation about direct views.

It has two beginnings: in the notebook the session starts its own cluster, in a terminal it
connects to one that is there.
"""

from __future__ import annotations

from .cells import Cell, loose_blocks, page_cells
from .checks import (
    DIVISION,
    PARTS_OF_5,
    PARTS_OF_16,
    divides_as_locally,
    divides_on_four,
    divides_shown_once,
    four_pids,
    parts,
    slept,
    times_out,
    unknown_name_on_four,
)
from .seen import Expected
from .tutorial import Tutorial

# The page interrupts a sleep that goes on. That it has begun is seen by this: on the engines,
# sleeping leaves a file first.
_TELL_OF_SLEEP = """\
import os, signal, time
rc[:].execute(f'''
import os, time
def _sleep(seconds, folder={os.getcwd()!r}, sleep=time.sleep):
    open(os.path.join(folder, "asleep-" + str(os.getpid())), "w").close()
    sleep(seconds)
time.sleep = _sleep
''', block=True)"""
_WAIT_FOR_SLEEP = """\
import glob
while len(glob.glob("asleep-*")) < 4:
    time.sleep(0.01)"""


def _cells(text: str, form: str) -> list[Cell]:
    own, existing = loose_blocks(text)[:2]
    return [Cell(own if form == "notebook" else existing), *page_cells(text)]


TUTORIAL = Tutorial(
    name="002",
    ipcluster=lambda form: [] if form == "notebook" else ["start", "-n", "4"],
    cells=_cells,
    count=83,
    aside={
        # the page starts afresh with each section, where views do not block
        45: "dview.block = False",
        50: _TELL_OF_SLEEP,
        51: _WAIT_FOR_SLEEP,
        53: "dview.block = True",
        67: "assert list(y) == [i**10 for i in range(64)], y",
    },
    expected={
        2: Expected("rc.ids", value=[0, 1, 2, 3]),
        6: Expected("serial_result", value=True),
        8: Expected("view.apply", texts=("'apply'.*'apply_async'.*'apply_sync'",)),
        13: Expected("apply", value=[42] * 4),
        15: Expected("apply_sync", value=[42] * 4),
        16: Expected("execute", texts=("<AsyncResult.*execute",)),
        17: Expected("execute", texts=("<AsyncResult.*execute",)),
        18: Expected("'c'", value=[15, -5, 15, -5]),
        21: Expected("ar.get()", holds=slept(2)),
        23: Expected("ready", value=False),
        24: times_out("ar.get(1)"),
        28: Expected("get()", holds=slept(3)),
        32: Expected("ar.get()", value=[10, 10]),
        35: Expected("42", value=[42] * 4),
        36: Expected("push", value=[None] * 4),
        37: Expected("pull", value=[1.03234] * 4),
        38: Expected("targets=0", value=3453),
        39: Expected("pull", value=[[1.03234, 3453]] * 4),
        40: Expected("push", value=[None] * 4),
        42: Expected("ar.get()", value=[1.03234] * 4),
        44: Expected("dview['a']", value=[["foo", "bar"]] * 4),
        46: Expected("dview['a']", holds=parts(PARTS_OF_16)),
        47: Expected("gather", texts=("<AsyncMapResult.*gather",)),
        48: Expected("gather", value=list(range(16))),
        # a result that is not there cannot be indexed, and nothing here waits for it
        49: Expected("gather", value=3, may_raise=("TimeoutError",)),
        51: Expected("send_signal", texts=("<(Future|AsyncResult)",)),
        52: Expected(
            "ar.get()",
            raises=("CompositeError",),
            texts=tuple(rf"\[{i}:apply\].*?KeyboardInterrupt" for i in range(4)),
        ),
        54: Expected("getpid", holds=four_pids),
        60: Expected("C_local", texts=("True",)),
        62: Expected("echo(", holds=parts(PARTS_OF_5)),
        63: Expected("echo.map", value=["0", "1", "2", "3", "4"]),
        67: Expected("print", raises=("SyntaxError",)),  # it is Python 2
        68: Expected("sync_imports", texts=("importing numpy on engine",)),
        72: divides_on_four("1/0"),
        73: divides_as_locally("raise_exception"),
        74: divides_on_four("1/0"),
        # no notebook is asked by its kernel when it is executed with nobody there
        75: Expected(
            "%debug",
            only="terminal",
            traceback=True,
            texts=(r"CompositeError\(4\)", DIVISION.format(1)),
        ),
        77: unknown_name_on_four("x=z"),
        80: divides_shown_once("ar.get()"),
        82: Expected(
            "return_exceptions",
            texts=tuple(
                rf"<Remote\w*\[{i}\]:ZeroDivisionError\(division by zero\)>" for i in range(4)
            ),
        ),
    },
)
