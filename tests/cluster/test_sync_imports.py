"""Imports here are imports on the engines, too."""

from __future__ import annotations

import builtins
import sys
import threading
import types

import pytest

import ipyparallel as ipp


@pytest.fixture
def view(client: ipp.Client) -> ipp.DirectView:
    """A view on engines whose namespaces are empty."""
    view = client[:]
    view.clear(block=True)
    return view


@pytest.fixture(autouse=True)
def nothing_is_left_behind():
    before = builtins.__import__
    yield
    assert builtins.__import__ is before


def names(view: ipp.DirectView) -> set[str]:
    """What the engines have in their namespaces, private names aside."""
    view.execute("_before = {'In', 'Out', 'get_ipython', 'exit', 'quit', 'open'}", block=True)
    found = view["sorted(n for n in globals() if n[0] != '_' and n not in _before)"]
    assert found[0] == found[1]
    return set(found[0])


def test_what_is_printed_and_bound(view, capsys) -> None:
    with view.sync_imports() as entered:
        import json
        import json as renamed
        import os.path
        import xml.dom.minidom as dom
        from collections import OrderedDict as Ordered
        from collections import deque
        from email.mime import text
    assert entered is None
    assert capsys.readouterr().out.splitlines() == [
        "importing json on engine(s)",
        "importing os.path on engine(s)",
        "importing xml.dom.minidom on engine(s)",
        "importing OrderedDict from collections on engine(s)",
        "importing deque from collections on engine(s)",
        "importing text from email.mime on engine(s)",
    ]
    assert (renamed.__name__, dom.__name__, Ordered([(1, 2)])) == (
        "json",
        "xml.dom.minidom",
        {1: 2},
    )
    assert json is renamed
    assert all((os, deque, text))
    assert names(view) == {"json", "os", "xml", "OrderedDict", "deque", "text"}
    assert view["os.path.sep"] == [os.sep] * 2
    assert view["xml.dom.minidom.__name__"] == ["xml.dom.minidom"] * 2


def test_several_names_at_once(view, capsys) -> None:
    with view.importer:
        from math import cos, sin
    assert capsys.readouterr().out == "importing cos,sin from math on engine(s)\n"
    assert names(view) == {"cos", "sin"}
    assert cos(0) - sin(0) == 1


def test_only_what_the_block_itself_imports(view, capsys) -> None:
    def elsewhere():
        import fractions

        return fractions

    with view.sync_imports(quiet=True):
        import json
    assert capsys.readouterr().out == ""
    with view.sync_imports():
        sys.modules.pop("this_is_imported_by_nobody", None)
        elsewhere()
    import decimal

    assert capsys.readouterr().out == ""
    assert names(view) == {"json"}
    assert all((json, decimal))


def test_other_threads_are_left_alone(view, capsys) -> None:
    def work():
        import fractions

        seen.append(fractions)

    seen: list[types.ModuleType] = []
    with view.sync_imports():
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
    assert len(seen) == 1
    assert capsys.readouterr().out == ""
    assert names(view) == set()


def test_two_blocks_at_once_keep_to_themselves(client: ipp.Client, view) -> None:
    """They end in the order in which they began, which must not put the first one's hook back."""
    original = builtins.__import__
    entered, left = threading.Event(), threading.Event()
    missing: list[str] = []

    def first():
        with client[0].sync_imports(quiet=True):
            import json  # noqa: F401

            missing.extend(() if entered.wait(20) else ["entered"])

    thread = threading.Thread(target=first)
    thread.start()
    with client[1].sync_imports(quiet=True):
        entered.set()
        thread.join()
        left.set()
        import decimal
    assert builtins.__import__ is original
    assert not missing
    assert decimal
    assert client[0]["sorted({'json', 'decimal'} & {*globals()})"] == ["json"]
    assert client[1]["sorted({'json', 'decimal'} & {*globals()})"] == ["decimal"]


def test_a_block_in_a_block(client: ipp.Client, view) -> None:
    with client[0].sync_imports(quiet=True), client[1].sync_imports(quiet=True):
        import json
    assert names(view) == {"json"}
    assert json


def test_what_cannot_be_imported_here_is_not_asked_for(view, capsys) -> None:
    with pytest.raises(ModuleNotFoundError), view.sync_imports():
        import nobody_has_written_this  # noqa: F401
    assert capsys.readouterr().out == ""


def test_what_the_engines_cannot_import_is_told_at_the_end(view, monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "only_here", types.ModuleType("only_here"))
    importer = view.sync_imports(quiet=True)
    importer.__enter__()
    import json

    import only_here

    with pytest.raises(ipp.CompositeError, match="No module named 'only_here'"):
        importer.__exit__(None, None, None)
    assert all((json, only_here))
    assert names(view) == {"json"}


def test_an_error_in_the_block_is_the_one_that_is_raised(view, monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "only_here", types.ModuleType("only_here"))
    importer = view.sync_imports(quiet=True)
    importer.__enter__()
    import only_here

    importer.__exit__(ZeroDivisionError, ZeroDivisionError(), None)  # raises nothing of its own
    assert only_here


def test_relative_imports_are_for_here(view, capsys, monkeypatch) -> None:
    package = types.ModuleType("some_package")
    package.__path__ = []
    module = types.ModuleType("some_package.some_module")
    monkeypatch.setitem(sys.modules, "some_package", package)
    monkeypatch.setitem(sys.modules, "some_package.some_module", module)
    namespace = {"__package__": "some_package", "view": view}
    exec("with view.sync_imports():\n from . import some_module", namespace)
    assert namespace["some_module"] is module
    assert capsys.readouterr().out == ""


def test_a_star_means_all_names(view) -> None:
    exec("with view.importer:\n from cmath import *", {"view": view})
    assert {"phase", "polar"} <= names(view)


def test_a_hook_that_somebody_puts_over_ours_stays(view) -> None:
    before = builtins.__import__
    calls = []

    def cover(name, *args, **kwargs):
        calls.append(name)
        return ours(name, *args, **kwargs)

    try:
        with view.sync_imports(quiet=True):
            ours = builtins.__import__
            builtins.__import__ = cover
        assert builtins.__import__ is cover
        with view.sync_imports(quiet=True):
            import json
        assert builtins.__import__ is cover
    finally:
        builtins.__import__ = before
    assert "json" in calls
    assert json
    assert names(view) == {"json"}


def test_importing_on_the_engines_only_is_refused(view) -> None:
    with pytest.raises(NotImplementedError, match="engines only"):
        view.sync_imports(local=False)


def test_an_importer_is_entered_once_at_a_time(view) -> None:
    importer = view.importer
    with importer, pytest.raises(RuntimeError, match="already"), importer:
        pass
    with importer:
        import json
    assert names(view) == {"json"}
    assert json
