"""Modules that engines need not have: what is in them travels by value.

A function or class of a module is otherwise sent as a name, for the engine to import. This is a
registry of our own: what is in it does not change what others pickle. Modules that were given to
``cloudpickle.register_pickle_by_value`` travel by value, too.
"""

from __future__ import annotations

import importlib.util
import sys
import types
from typing import Any

#: Names of the modules, each with all its submodules.
_names: set[str] = set()


def send_by_value(module: types.ModuleType | str, by_value: bool = True) -> None:
    """Send functions and classes of a module, and of its submodules, as they are, not as names.

    For a module that engines cannot import: one that lies beside the script or notebook, say,
    while the engines run elsewhere. A function takes along what it uses of its module; the engine
    gets a copy of that with each call. It holds for what this process sends; to have engines do
    the same with what they return, call it there (``view.apply(ipp.send_by_value, "name")``).

    Parameters
    ----------
    module : module or str
        The module or package, or its name.
    by_value : bool
        False takes it back: the module is sent by name again.

    Raises
    ------
    TypeError
        It is neither a module nor a name.
    ModuleNotFoundError
        There is no module of that name.
    """
    name = module.__name__ if isinstance(module, types.ModuleType) else module
    if not isinstance(name, str):
        raise TypeError(f"send_by_value takes a module or its name, not {module!r}")
    if not by_value:
        _names.discard(name)
        return
    if not _exists(name):
        raise ModuleNotFoundError(
            f"send_by_value: there is no module {name!r} in this process", name=name
        )
    _names.add(name)


def _exists(name: str) -> bool:
    if name in sys.modules:
        return True
    try:
        return importlib.util.find_spec(name) is not None
    except (ImportError, ValueError):  # no parent package; an empty name
        return False


def is_sent_by_value(name: Any) -> bool:
    """Whether what is in the module of this name, or None, travels by value."""
    if not _names or not isinstance(name, str):
        return False
    while name:
        if name in _names:
            return True
        name = name.rpartition(".")[0]
    return False
