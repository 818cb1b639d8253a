"""Tutorial 001: a lesson that goes on to the magics, on the default cluster."""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping

from .cells import notebook_cells
from .checks import PARTS_OF_16, four_pids, parts
from .seen import Expected, Seen, literal
from .tutorial import Tutorial


def _another_process(seen: Seen, earlier: Mapping[int, Seen]) -> bool:
    """the facts of a process that is not this one"""
    there, here = literal(seen.value), literal(earlier[11].value)
    return there["pid"] != here["pid"] and there["hostname"] == here["hostname"]


def _its_pid(seen: Seen, earlier: Mapping[int, Seen]) -> bool:
    """the process number of the facts before"""
    return bool(literal(seen.value) == literal(earlier[13].value)["pid"])


def _four_processes(seen: Seen, earlier: Mapping[int, Seen]) -> bool:
    """the facts of four processes, engine 0 first"""
    pids = [facts["pid"] for facts in literal(seen.value)]
    return len(set(pids)) == 4 and pids[0] == literal(earlier[13].value)["pid"]


def _by_engine(text: str) -> dict[int, str]:
    """What each engine has printed, which may have come in several pieces."""
    _, *pieces = re.split(r"^\[stdout:(\d)\]", text, flags=re.MULTILINE)
    said: dict[int, str] = {}
    for engine, piece in zip(pieces[::2], pieces[1::2], strict=True):
        said[int(engine)] = said.get(int(engine), "") + piece
    return said


def _each_says_its_pid(seen: Seen, earlier: Mapping[int, Seen]) -> bool:
    """of each engine, marked with its id, its process number and the host"""
    said = _by_engine(seen.text)
    pids = ast.literal_eval(earlier[30].value or "")
    return sorted(said) == [0, 1, 2, 3] and all(
        re.match(rf"\s*{pids[i]}\s+\S", said[i]) for i in range(4)
    )


def _same_version_everywhere(seen: Seen, _: Mapping[int, Seen]) -> bool:
    """the same version here and of each engine, marked with its id"""
    here = re.search(r"^(?:Out\[\d+\]: )?('[\d.]+')$", seen.text, re.MULTILINE)
    there = re.findall(r"Out\[(\d):\d+\]:\s*('[\d.]+')", seen.text)
    return here is not None and sorted(there) == [(str(i), here[1]) for i in range(4)]


def _two_figures(seen: Seen, _: Mapping[int, Seen]) -> bool:
    """a figure and a value of engines 0 and 1, and of no other"""
    return (
        sorted(re.findall(r"\[output:(\d)\]", seen.text)) == ["0", "1"]
        and sorted(re.findall(r"Out\[(\d):\d+\]:\s*<matplotlib", seen.text)) == ["0", "1"]
        and seen.text.count("<Figure size") == 2
        and seen.text.count("<image/png>") in (0, 2)  # a terminal shows none
    )


def _five_lines(seen: Seen, _: Mapping[int, Seen]) -> bool:
    """the version and the file here, and of each engine, marked with its id"""
    here = re.search(r"^(\S+ \S+__init__\.py)$", seen.text, re.MULTILINE)
    said = _by_engine(seen.text)
    return (
        here is not None
        and sorted(said) == [0, 1, 2, 3]
        and all(said[i].split() == here[1].split() for i in range(4))
    )


_PRODUCTS = [a * (a + 1) for a in range(1, 10)]

TUTORIAL = Tutorial(
    name="001",
    ipcluster=lambda form: ["start", "--n", "4"],
    cells=lambda text, form: notebook_cells(text),
    count=42,
    expected={
        2: Expected("rc.ids", value=[0, 1, 2, 3]),
        3: Expected("rc[0]", texts=("<DirectView 0>",)),
        4: Expected("rc[0,1,2,3]", texts=(r"<DirectView \[0, 1, 2, 3\]>",)),
        10: Expected("mul", value=30),
        11: Expected("summary()", texts=("'hostname'",)),
        12: Expected("mul", value=30),
        13: Expected("summary", holds=_another_process),
        14: Expected("pid", holds=_its_pid),
        15: Expected("mul", value=[30] * 4),
        16: Expected("summary", holds=_four_processes),
        17: Expected("map", value=_PRODUCTS),
        18: Expected("dview.map", value=_PRODUCTS),
        20: Expected("pull", value=[1.032] * 4),
        21: Expected("targets=0", value=3453),
        22: Expected("pull", value=[[1.032, 3453]] * 4),
        24: Expected("ar.get()", value=[1.032] * 4),
        26: Expected("dview['a']", holds=parts(PARTS_OF_16)),
        27: Expected("gather", value=list(range(16))),
        28: Expected("gather", value=list(range(32))),
        30: Expected("getpid", holds=four_pids),
        31: Expected("pmul", texts=("True",)),
        33: Expected("__version__", holds=_same_version_everywhere),
        36: Expected("--target", holds=_two_figures),
        37: Expected("sync_imports", texts=("importing matplotlib.pyplot on engine",)),
        38: Expected("socket", holds=_each_says_its_pid),
        41: Expected("__file__", holds=_five_lines),
    },
)
