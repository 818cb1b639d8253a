"""Tutorial 003: an executed notebook about one engine, with a script of its own."""

from __future__ import annotations

from collections.abc import Mapping

from .cells import fenced_blocks, notebook_cells
from .checks import metadata, slept, times_out
from .seen import Expected, Seen, literal, same_as
from .tutorial import Tutorial


def _a_duration(seen: Seen, _: Mapping[int, Seen]) -> bool:
    """a number of seconds, more than none"""
    return bool(0 < literal(seen.value) < 5)


def _script(text: str) -> str:
    """The script that the prose shows, and a cell shows again."""
    return next(block for block in fenced_blocks(text, "python") if "def mysquare" in block)


TUTORIAL = Tutorial(
    name="003",
    ipcluster=lambda form: ["start", "-n", "4"],
    cells=lambda text, form: notebook_cells(text),
    count=43,
    files=lambda text: {"myscript.py": _script(text)},
    expected={
        1: Expected("rc.ids", value=[0, 1, 2, 3]),
        2: Expected("rc[0]", texts=("<DirectView 0>",)),
        4: Expected(
            "get_norms",
            raises=("RemoteError", "NameError"),
            texts=("NameError: name 'numpy' is not defined",),
        ),
        6: Expected("sync_imports", texts=("importing numpy on engine",)),
        7: Expected("get_norms", holds=same_as(3)),
        8: Expected("norm", texts=(r"\d\.\d",)),
        9: Expected("%pycat", texts=("def mysquare",)),
        11: Expected("run", texts=("<AsyncResult.*execute.*finished",)),
        12: Expected("execute", texts=("<AsyncResult.*execute.*finished",)),
        13: Expected("e0['a']", value=5),
        14: Expected("e0['b']", value=25),
        15: Expected("inc_a", texts=(r" 5\n.* \+  5\n.* = 10",)),
        16: Expected("inc_a", value=6),
        17: Expected("mul_by_a", value=100),
        18: Expected("is_it_a", value=False),
        19: Expected("Reference", value=True),
        21: Expected("pull", value=1.03234),
        22: Expected("pull", value=[3453, 1.03234]),
        23: Expected("::-1", value=[4, 3, 2, 1, 0]),
        27: Expected("eigvals", holds=same_as(25)),
        28: Expected("norm", holds=same_as(26)),
        30: Expected("both", texts=(r"\(array\(",)),
        33: Expected("wait", texts=("<AsyncResult.*wait",)),
        34: Expected("ready", value=False),
        35: times_out("ar.get(1)"),
        36: Expected("%time", texts=("Wall time",), holds=slept(10, times=1)),
        38: Expected("apply_async", texts=("<AsyncResult.*getpid",)),
        39: Expected("ar.get()", holds=same_as(37)),
        40: metadata("metadata", results=1),
        41: Expected("wall_time", holds=_a_duration),
        42: Expected("serial_time", holds=_a_duration),
    },
)
