"""The lines of what was typed travel with it."""

import linecache

import pytest

from ipyparallel.serialize import source
from ipyparallel.serialize.source import remember_source, source_of

CELL = """a = 1

def outer(x):
    y = x

    def inner():
        return y / 0

    return inner()

b = 2
short = lambda: 1 / 0
"""
NAME = "<ipython-input-7-0123456789ab>"


def typed(text=CELL, name=NAME):
    """The namespace after the text was typed."""
    namespace = {}
    exec(compile(text, name, "exec"), namespace)
    return namespace


@pytest.fixture(autouse=True)
def cell():
    """The cell as IPython keeps it."""
    linecache.cache[NAME] = (len(CELL), None, CELL.splitlines(True), NAME)
    yield
    linecache.cache.pop(NAME, None)


def test_the_lines_of_a_function_are_found():
    filename, first, lines = source_of(typed()["outer"].__code__)
    assert (filename, first) == (NAME, 3)
    assert "".join(lines) == CELL[CELL.index("def outer") : CELL.index("\nb = 2")]
    assert source_of(typed()["short"].__code__) == (NAME, 12, ["short = lambda: 1 / 0\n"])


def test_a_function_of_a_file_is_not_typed():
    assert source_of(source_of.__code__) is None


def test_what_nobody_remembers_is_not_found():
    linecache.cache.pop(NAME)
    assert source_of(typed()["outer"].__code__) is None


def test_very_long_functions_are_left_out():
    text = "def long():\n" + "    x = 1\n" * 500
    linecache.cache[NAME] = (len(text), None, text.splitlines(True), NAME)
    assert source_of(typed(text)["long"].__code__) is None


def test_what_arrives_stands_in_its_place():
    outer, short = (source_of(typed()[name].__code__) for name in ("outer", "short"))
    linecache.cache.pop(NAME)
    remember_source(short)
    assert linecache.getline(NAME, 12) == "short = lambda: 1 / 0\n"
    assert linecache.getline(NAME, 3) == "\n"
    remember_source(outer)
    assert linecache.getline(NAME, 7) == "        return y / 0\n"
    assert linecache.getline(NAME, 12) == "short = lambda: 1 / 0\n"
    linecache.checkcache(NAME)
    assert linecache.getline(NAME, 12) == "short = lambda: 1 / 0\n"


def test_a_file_that_is_there_is_not_covered_up():
    remember_source((__file__, 1, ["something else\n"]))
    assert linecache.getline(__file__, 1) == '"""The lines of what was typed travel with it."""\n'


def test_only_the_last_are_kept(monkeypatch):
    # what was there stays, whoever adds to it
    monkeypatch.setattr(linecache, "cache", {NAME: linecache.cache[NAME]})
    monkeypatch.setattr(source, "_remembered", {})
    monkeypatch.setattr(source, "_MAX_REMEMBERED", 3)
    remember_source((NAME, 1, ["a = 2\n"]))
    for number in range(10):
        remember_source((f"<typed {number}>", 1, [f"{number}\n"]))
        remember_source(("<typed 0>", 2, ["again\n"]))
    kept = ["<typed 0>", "<typed 8>", "<typed 9>"]
    assert sorted(linecache.cache) == sorted([NAME, *kept])
    assert linecache.getlines("<typed 0>") == ["0\n", "again\n"]
    assert linecache.getlines(NAME)[:2] == ["a = 2\n", "\n"]


def test_what_another_put_in_its_place_is_kept(monkeypatch):
    monkeypatch.setattr(linecache, "cache", {})
    monkeypatch.setattr(source, "_remembered", {})
    monkeypatch.setattr(source, "_MAX_REMEMBERED", 1)
    remember_source((NAME, 1, ["ours\n"]))
    linecache.cache[NAME] = (7, None, ["theirs\n"], NAME)
    remember_source(("<typed>", 1, ["ours\n"]))
    assert linecache.getlines(NAME) == ["theirs\n"]
