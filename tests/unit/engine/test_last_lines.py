"""What of a log is told with a death."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ipyparallel.engine.last_lines import CommonLog, last_lines

OWN = "2026-11-21 12:16:24.549 [IPEngine] INFO | Engine 0 is ready\n"

#: As Python 3.11 writes it.
FAULT = """\
Fatal Python error: Segmentation fault

Thread 0x00007f58256796c0 (most recent call first):
  File "/x/ipyparallel/transport/heart.py", line 46 in _beat
  File "/lib/python3.11/threading.py", line 1002 in _bootstrap

Current thread 0x00007f582ba92b80 (most recent call first):
  File "/lib/python3.11/ctypes/__init__.py", line 519 in string_at
  File "/home/me/model.py", line 10 in fit
  File "/x/ipyparallel/engine/apply.py", line 94 in _call
  File "/lib/python3.11/asyncio/events.py", line 80 in _run

Extension modules: psutil._psutil_linux, numpy.core._multiarray_umath (total: 2)
"""

TOLD = [
    "Fatal Python error: Segmentation fault",
    "Current thread 0x00007f582ba92b80 (most recent call first):",
    '  File "/lib/python3.11/ctypes/__init__.py", line 519 in string_at',
    '  File "/home/me/model.py", line 10 in fit',
]


def test_of_a_fault_the_users_part_of_the_stack_is_told() -> None:
    assert last_lines(OWN + FAULT).splitlines() == TOLD


def test_with_what_a_library_said_before() -> None:
    text = OWN + "loading\nfree(): invalid pointer\n" + FAULT
    assert last_lines(text).splitlines() == ["loading", "free(): invalid pointer", *TOLD]


def test_code_of_a_cell_is_told_without_the_shell_that_ran_it() -> None:
    shell = '  File "/x/IPython/core/interactiveshell.py", line 3701 in run_code'
    text = FAULT.replace('  File "/x/ipyparallel/engine/apply.py", line 94 in _call', shell)
    assert last_lines(text).splitlines() == TOLD


def test_a_fault_in_our_own_code_is_told_with_it() -> None:
    lines = [line for line in FAULT.splitlines() if "string_at" not in line and "me/" not in line]
    assert last_lines("\n".join(lines)).splitlines()[2:] == [
        '  File "/x/ipyparallel/engine/apply.py", line 94 in _call',
        '  File "/lib/python3.11/asyncio/events.py", line 80 in _run',
    ]


def test_of_several_faults_the_last_counts() -> None:
    text = FAULT.replace("model.py", "other.py") + FAULT
    assert last_lines(text).splitlines()[-4:] == TOLD


def test_a_fault_without_a_stack() -> None:
    text = "Fatal Python error: init_fs_encoding: no codec\nPython runtime state: initialized\n"
    assert last_lines(text) == text.rstrip()


def test_else_the_last_ten_lines_are_told_but_not_our_own() -> None:
    text = "".join(f"line {i}\n{OWN}\n" for i in range(20))
    assert last_lines(text).splitlines() == [f"line {i}" for i in range(10, 20)]
    assert last_lines(OWN * 3) == ""


def test_what_is_told_is_bounded() -> None:
    for text in ("x" * 10_000 + "\n") * 30, ("y" * 500 + "\n") * 5 + FAULT * 40:
        told = last_lines(text)
        assert len(told.splitlines()) <= 10
        assert len(told) <= 2010
    assert last_lines("x" * 300) == "x" * 199 + "…"


@pytest.fixture
def log(tmp_path: Path):
    descriptor = os.open(tmp_path / "log", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    yield descriptor
    os.close(descriptor)


def test_the_log_is_read_from_where_it_ended_before(log: int, tmp_path: Path) -> None:
    common = CommonLog(log)
    os.write(log, b"before\n")
    end = common.end
    assert common.read(end) == ""
    os.write(log, b"after \xff\n")
    assert common.read(end) == "after �\n"
    (tmp_path / "log").unlink()
    assert common.read(0) == "before\nafter �\n"


def test_of_a_long_log_the_end_is_read(log: int) -> None:
    os.write(log, b"x" * 100_000 + b"end")
    text = CommonLog(log).read(0)
    assert len(text) == 1 << 16
    assert text.endswith("xend")


def test_a_log_that_was_cut_short_is_not_misread(log: int) -> None:
    os.write(log, b"long before\n")
    os.ftruncate(log, 0)
    os.write(log, b"new\n")
    assert CommonLog(log).read(100) == ""


def test_what_is_not_a_file_has_nothing_to_be_read() -> None:
    read_end, write_end = os.pipe()
    assert (CommonLog(write_end).end, CommonLog(write_end).read(0)) == (0, "")
    os.close(read_end)
    os.close(write_end)
    assert CommonLog(write_end).end == 0
