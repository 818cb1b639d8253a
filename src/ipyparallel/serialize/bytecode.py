"""Bytecode, of which each minor version of Python has its own.

Another Python builds a function of it without complaint, and crashes when it is called. So code
says which Python it is for, and another one refuses to load it.
"""

from __future__ import annotations

import sys
import types
from typing import Any

from cloudpickle import cloudpickle as inner

#: This Python, as code says it: the major and the minor version, a byte each.
_VERSION = sys.hexversion >> 16


class ForeignBytecode(TypeError):
    """A function or class came by value from another minor version of Python."""


def reduce_code(code: types.CodeType) -> Any:
    """How a code object is pickled."""
    return load_code, (
        _VERSION,
        code.co_qualname.partition(".<locals>")[0],
        inner._code_reduce(code)[1],
    )


def load_code(version: int, name: str, parts: tuple[Any, ...]) -> types.CodeType:
    """The code object that `reduce_code` took apart.

    Raises
    ------
    ForeignBytecode
        It is of another minor version of Python.
    """
    if version != _VERSION:
        raise ForeignBytecode(
            f"cannot load {name}: it was sent as bytecode of Python {_text(version)}, and this is"
            f" Python {_text(_VERSION)}. Run client and engines with the same minor version of"
            f" Python; or put {name} into a module that both can import."
        )
    return types.CodeType(*parts)


def _text(version: int) -> str:
    return f"{version >> 8}.{version & 0xFF}"
