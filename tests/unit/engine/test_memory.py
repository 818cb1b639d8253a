"""A shell forgets what it has kept of old executions, and nothing else."""

from __future__ import annotations

import atexit
import linecache
import sys
from collections.abc import Iterator

import pytest
from IPython.core.interactiveshell import InteractiveShell
from traitlets.config import Config

from ipyparallel.engine.memory import KEPT, Compiler, Memory

KEEP = 10


class Shell(InteractiveShell):
    compiler_class = Compiler


@pytest.fixture
def shell(tmp_path, monkeypatch) -> Iterator[InteractiveShell]:
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path))
    # a shell changes both
    monkeypatch.setitem(sys.modules, "__main__", sys.modules["__main__"])
    monkeypatch.setattr(sys, "path", list(sys.path))
    shell = Shell(config=Config(HistoryManager={"hist_file": ":memory:"}))
    shell.cache_size = shell.displayhook.cache_size = KEEP
    Memory(shell, KEEP).watch()
    yield shell
    shell.atexit_operations()
    atexit.unregister(shell.atexit_operations)


def run(shell: InteractiveShell, code: str) -> None:
    shell.run_cell(code, store_history=True)


def test_the_last_are_kept_in_their_places(shell, capsys) -> None:
    for number in range(1, 51):
        run(shell, f"{number} + 1000")
    names = shell.user_ns
    assert (names["In"][50], names["Out"][50], names["_50"], names["_i50"], names["_"]) == (
        "50 + 1000", 1050, 1050, "50 + 1000", 1050,
    )  # fmt: skip
    assert len(names["In"]) == 51
    assert names["In"][1:40] == [""] * 39
    assert min(names["Out"]) in (41, 42)
    numbered = {name for name in {*names, *shell.user_ns_hidden} if name.strip("_i").isdigit()}
    assert all(int(name.strip("_i")) > 39 for name in numbered)
    assert "limit" not in capsys.readouterr().err


def test_what_the_user_named_so_is_kept(shell) -> None:
    run(shell, "1")
    run(shell, "_1 = _i2 = 'mine'")
    for _ in range(20):
        run(shell, "0")
    assert (shell.user_ns["_1"], shell.user_ns["_i2"]) == ("mine", "mine")


def test_the_history_does_not_grow(shell, monkeypatch) -> None:
    monkeypatch.setattr("ipyparallel.engine.memory._SWEEP", 5)
    history = shell.history_manager
    for number in range(100):
        run(shell, f"{number}; 1 / 0" if number % 2 else f"print({number}); {number}")
        if number % 7 == 0:
            list(history.get_tail(3))
    for kept in ("db_input_cache", "output_hist", "output_hist_reprs", "outputs", "exceptions"):
        assert len(getattr(history, kept, ())) <= KEEP + 1, kept
    (rows,) = history.db.execute("SELECT count(*) FROM history").fetchone()
    assert rows <= 2 * KEEP
    assert [line for _, _, line in history.get_tail(2)][-1] == "print(98); 98"


def test_a_new_session_begins_anew(shell) -> None:
    for _ in range(2):
        for number in range(30):
            run(shell, f"{number}")
        assert shell.user_ns["In"][1] == ""
        assert len(shell.user_ns["Out"]) <= KEEP
        shell.reset()


def test_the_lines_of_the_last_pieces_of_code_are_kept() -> None:
    compiler = Compiler()
    first = compiler.cache("first = 1")
    for number in range(KEPT - 1):
        last = compiler.cache(f"x = {number}")
    assert linecache.getlines(first) == ["first = 1\n"]
    compiler.cache("first = 1")
    second = compiler.cache("y = 1")
    compiler.cache("y = 2")
    assert linecache.getlines(first) == ["first = 1\n"]
    assert linecache.getlines(last) == [f"x = {KEPT - 2}\n"]
    assert linecache.getlines(second) == ["y = 1\n"]
    assert len(compiler._filename_map) == KEPT
    for name in compiler._filename_map:
        linecache.cache.pop(name)
