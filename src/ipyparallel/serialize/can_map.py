"""How objects of which type are put into cans, and what users add to that."""

from __future__ import annotations

import importlib
import importlib.util
import logging
import sys
from collections import UserDict
from collections.abc import Callable, Mapping
from typing import Any

from . import pickler

_log = logging.getLogger(__name__)


class CanMap(UserDict[Any, Callable[[Any], Any]]):
    """Canners by the exact type of what they can.

    A key is a type, or a text such as ``"pandas.DataFrame"`` for one that is not imported yet. What
    users add, or replace, holds for this package's own pickler too; for types that Python's pickle
    writes by itself (lists, dicts, texts) it holds in the published form only.

    Parameters
    ----------
    own : dict
        What is there from the beginning.
    load : callable
        Makes the object of a can again, where it arrives; pickled by its name.
    """

    def __init__(self, own: Mapping[Any, Callable[[Any], Any]], load: Callable[[Any], Any]) -> None:
        self._own: dict[Any, Callable[[Any], Any]] = {}
        self._load = load
        super().__init__(own)
        self._own.update(own)
        self._tell_pickler()

    def __setitem__(self, key: Any, canner: Callable[[Any], Any]) -> None:
        super().__setitem__(key, canner)
        self._tell_pickler()

    def __delitem__(self, key: Any) -> None:
        super().__delitem__(key)
        self._tell_pickler()

    def _tell_pickler(self) -> None:
        touched = any(self._is_users(key) for key in self.data)
        pickler.set_user_reducer(self._reducer if touched else None)

    def _is_users(self, key: Any) -> bool:
        return self._own.get(key) is not self.data[key]

    def _reducer(self, kind: type) -> Callable[[Any], Any] | None:
        self.import_named()
        if kind not in self.data or not self._is_users(kind):
            return None
        canner = self.data[kind]
        return lambda obj: (self._load, (canner(obj),))

    def canner(self, kind: type) -> Callable[[Any], Any] | None:
        """What puts objects of exactly this type into cans; None if they go as they are."""
        self.import_named()
        return self.data.get(kind)

    def import_named(self) -> None:
        """Put types in the place of their names, as far as their packages are loaded."""
        for name in [key for key in self.data if isinstance(key, str)]:
            package = name.partition(".")[0]
            own = not self._is_users(name)
            if package not in sys.modules and (own or _can_be_imported(package)):
                continue
            canner = self.data.pop(name)
            try:
                kind = _import_item(name)
            except (ImportError, AttributeError, ValueError) as e:
                _log.error("can_map: dropped %r, which cannot be imported: %s", name, e)
                continue
            if own:
                self._own[kind] = canner
            self.data.setdefault(kind, canner)


def _can_be_imported(package: str) -> bool:
    try:
        return importlib.util.find_spec(package) is not None
    except ValueError:
        return False


def _import_item(name: str) -> Any:
    module, _, attribute = name.rpartition(".")
    return getattr(importlib.import_module(module), attribute)
