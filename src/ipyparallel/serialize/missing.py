"""Modules that are there where something is pickled, and not where it is unpickled.

The error for them says which module, what was wanted of it, and what to do.
"""

from __future__ import annotations

from collections.abc import Iterator
from types import TracebackType
from typing import Any


def explained(error: ModuleNotFoundError, frame: Any, what: str) -> ModuleNotFoundError:
    """The error to raise when a pickle cannot be loaded because a module is not there.

    Parameters
    ----------
    error : ModuleNotFoundError
        What unpickling raised, caught by who called it.
    frame : bytes-like
        The pickle.
    what : str
        What it holds, such as ``the function``.
    """
    missing = error.name or ""
    importing = _imported(error.__traceback__)
    for module, name in global_names(bytes(frame)):
        if importing and _is_in(module, importing):
            return ModuleNotFoundError(
                f"cannot load {what}: {module}.{name} needs the module {importing!r}, which is"
                f" here ({_here()}) but cannot be imported: {error}. Install {missing!r} here.",
                name=missing,
            )
        if not importing and missing and _is_in(module, missing):
            return ModuleNotFoundError(_not_here(missing, f"{module}.{name}", what), name=missing)
    return error  # not an import for a name in this pickle


def _imported(traceback: TracebackType | None) -> str:
    """The module that was being imported, if unpickling got as far as running its text."""
    called = traceback.tb_next if traceback is not None else None
    if called is None or called.tb_frame.f_code.co_name != "<module>":
        return ""
    return str(called.tb_frame.f_globals.get("__name__", ""))


def _is_in(module: str, package: str) -> bool:
    return module == package or module.startswith(f"{package}.")


def _not_here(module: str, wanted: str, what: str) -> str:
    return (
        f"cannot load {what}: there is no module {module!r} here ({_here()}), and {wanted} was"
        " sent by that name. Either make the module importable here: install it, or add its"
        " folder, as with"
        " view.execute(\"import sys; sys.path.insert(0, '/the/folder')\") for engines;"
        " or have it sent by value: call"
        f" ipyparallel.send_by_value({module.partition('.')[0]!r}) where it is sent."
    )


def _here() -> str:
    import os
    import socket

    return f"process {os.getpid()} on {socket.gethostname()}"


def global_names(frame: bytes) -> Iterator[tuple[str, str]]:
    """The modules, and the names in them, that a pickle refers to, in their order."""
    import pickletools

    memo: list[str] = []
    argument: Any
    # the texts on top of the stack, as far as they are known; other things are empty
    before, top = "", ""
    for opcode, argument, _ in pickletools.genops(frame):
        match opcode.name:
            case "STACK_GLOBAL":
                if before and top:
                    yield before, top
                before, top = "", ""
            case "GLOBAL":
                module, _, name = str(argument).partition(" ")
                yield module, name
                before, top = "", ""
            case "MEMOIZE":
                memo.append(top)
            case "BINGET" | "LONG_BINGET":
                before, top = top, memo[argument] if argument < len(memo) else ""
            case "SHORT_BINUNICODE" | "BINUNICODE":
                before, top = top, argument
            case "FRAME" | "PROTO":
                pass
            case _:
                before, top = "", ""
