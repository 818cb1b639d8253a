"""Code objects in the published form. Importing this registers nothing anywhere."""

from __future__ import annotations

import types
from typing import Any

#: The parameters of `types.CodeType` in this version of Python, as attributes of code objects.
_ATTRIBUTES = (
    "co_argcount",
    "co_posonlyargcount",
    "co_kwonlyargcount",
    "co_nlocals",
    "co_stacksize",
    "co_flags",
    "co_code",
    "co_consts",
    "co_names",
    "co_varnames",
    "co_filename",
    "co_name",
    "co_qualname",
    "co_firstlineno",
    "co_linetable",
    "co_exceptiontable",
    "co_freevars",
    "co_cellvars",
)


def code_ctor(*args: Any) -> types.CodeType:
    """A code object of what `reduce_code` took it apart into.

    Raises
    ------
    TypeError
        The code is of another version of Python.
    """
    try:
        return types.CodeType(*args)
    except (TypeError, ValueError) as e:
        raise TypeError(
            "cannot load code that was sent: client and engines must run the same minor version"
            f" of Python ({e})"
        ) from e


def reduce_code(code: types.CodeType) -> Any:
    """How a code object is pickled: by its parts."""
    return code_ctor, tuple(getattr(code, name) for name in _ATTRIBUTES)
