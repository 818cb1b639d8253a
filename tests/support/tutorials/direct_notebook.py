"""Tutorial 000: a notebook about direct views, on a cluster of a profile of its own."""

from __future__ import annotations

from .cells import notebook_cells
from .checks import (
    PARTS_OF_5,
    PARTS_OF_16,
    divides_as_locally,
    divides_on_four,
    divides_shown_once,
    four_pids,
    metadata,
    parts,
    slept,
    times_out,
    unknown_name_on_four,
)
from .seen import Expected
from .tutorial import Tutorial

TUTORIAL = Tutorial(
    name="000",
    ipcluster=lambda form: ["start", "--n=4", "--profile=direct-view"],
    cells=lambda text, form: notebook_cells(text),
    count=51,
    aside={43: "assert list(y) == [i**10 for i in range(64)], y"},
    expected={
        1: Expected("rc.ids", value=[0, 1, 2, 3]),
        5: Expected("serial_result", value=True),
        7: Expected("getpid", holds=four_pids),
        12: Expected("C_local", texts=("True",)),
        14: Expected("echo(", holds=parts(PARTS_OF_5)),
        15: Expected("echo.map", value=["0", "1", "2", "3", "4"]),
        16: Expected("dir(", value=["apply", "apply_async", "apply_sync"]),
        17: Expected("apply", value=[42] * 4),
        18: Expected("apply_sync", value=[42] * 4),
        19: Expected("execute", texts=("<AsyncResult.*execute",)),
        20: Expected("execute", texts=("<AsyncResult.*execute",)),
        21: Expected("'c'", value=[15, -5, 15, -5]),
        24: Expected("ar.get()", holds=slept(2)),
        26: Expected("ready", value=False),
        27: times_out("ar.get(1)"),
        28: Expected("dview.wait", holds=slept(3)),
        29: Expected("targets", value=[10, 10]),
        30: Expected("targets", value=[42] * 4),
        32: Expected("pull", value=[1.03234] * 4),
        33: Expected("targets=0", value=3453),
        34: Expected("pull", value=[[1.03234, 3453]] * 4),
        36: Expected("block=False", value=[1.03234] * 4),
        37: Expected("dview['a']", value=[["foo", "bar"]] * 4),
        39: Expected("dview['a']", holds=parts(PARTS_OF_16)),
        40: Expected("gather", value=list(range(16))),
        41: metadata("metadata", results=4),
        43: Expected("sync_imports", texts=("importing numpy on engine",)),
        47: divides_on_four("1/0"),
        48: divides_as_locally("raise_exception"),
        49: unknown_name_on_four("tb_limit"),
        50: divides_shown_once("ar.get()"),
    },
)
