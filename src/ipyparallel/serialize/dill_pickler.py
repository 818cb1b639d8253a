"""dill as the pickler, for objects that cloudpickle does not know.

Importing this module imports dill.
"""

from __future__ import annotations

import types
from typing import Any

import cloudpickle
import dill

from .pickler import FunctionsAndClasses, reducers

#: What functions are made of, too: dill would set these later than we need them.
_PARTS = (types.CellType,)


class DillPickler(FunctionsAndClasses, dill.Pickler):  # type: ignore[misc]
    """dill's pickler, but for functions, classes and the types that this package knows."""

    def __init__(self, file: Any, protocol: int, buffer_callback: Any = None) -> None:
        super().__init__(file, protocol, buffer_callback=buffer_callback)
        self.globals_ref: dict[int, dict[str, Any]] = {}

    def reducer_override(self, obj: Any) -> Any:
        """See `FunctionsAndClasses`; this one is asked before dill is."""
        kind = type(obj)
        if kind in reducers:
            return reducers[kind](obj)
        if kind in _PARTS:
            return cloudpickle.Pickler.dispatch_table[kind](obj)
        if (kind.__module__, kind.__name__) == ("numpy", "ndarray"):
            return obj.__reduce_ex__(self.proto)  # dill would copy what is in it
        return super().reducer_override(obj)
