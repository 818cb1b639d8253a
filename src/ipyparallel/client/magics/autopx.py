"""Everything that is typed runs on the engines, until it is switched off."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Callable
from typing import Any


class AutoPx:
    """Replaces the one function of a shell that all cells pass through.

    It is called for a cell after IPython has put it in the history, and found its syntax right;
    terminals and notebooks, and cells with ``await``, come through here.

    Parameters
    ----------
    shell : InteractiveShell
    name : str
        Of the magic that switches it on and off.
    run : callable
        Runs the text of a cell on the engines. What it returns, if anything, is shown as the
        value of the cell.
    """

    def __init__(self, shell: Any, name: str, run: Callable[[str], Any]) -> None:
        self._shell = shell
        self._name = name
        self._run = run
        self._run_here: Any = None

    @property
    def enabled(self) -> bool:
        """Whether cells run on the engines now."""
        return self._run_here is not None

    def toggle(self) -> None:
        """Switch it on or off, and say so."""
        if self.enabled:
            self._restore()
            print("%autopx disabled")  # noqa: T201
        else:
            self._replaced = vars(self._shell).get("run_ast_nodes")
            self._run_here = self._shell.run_ast_nodes
            self._shell.run_ast_nodes = self._run_nodes
            print("%autopx enabled")  # noqa: T201

    def _restore(self) -> None:
        if self._replaced is None:
            del self._shell.run_ast_nodes
        else:
            self._shell.run_ast_nodes = self._replaced
        self._run_here = None

    async def _run_nodes(
        self, nodes: list[ast.stmt], *args: Any, result: Any = None, **kwargs: Any
    ) -> Any:
        """Stands for the shell's own; whether the cell failed, which engines' failures do not."""
        run_here = self._run_here
        if result is None or result.info is None or result.info.silent:
            # not typed: frontends ask such things to complete names, or to show variables
            return await run_here(nodes, *args, result=result, **kwargs)
        cell = result.info.raw_cell
        off = next((i for i, node in enumerate(nodes) if self._switches_off(node)), None)
        if off is None:
            self._run_there(cell)
            return False
        if off > 0:
            self._run_there(self._before_switch(cell))
        return await run_here(nodes[off:], *args, result=result, **kwargs)

    def _run_there(self, cell: str) -> None:
        try:
            value = self._run(cell)
        except self._shell.custom_exceptions as e:
            self._shell.CustomTB(type(e), e, e.__traceback__)
        except BaseException:  # noqa: BLE001  (a shell shows whatever its code raises)
            self._shell.showtraceback()
        else:
            if value is not None:
                with self._shell.display_trap:
                    sys.displayhook(value)

    def _switches_off(self, node: ast.stmt) -> bool:
        """Whether this is what IPython makes of a line with the magic."""
        if not isinstance(node, ast.Expr) or not isinstance(node.value, ast.Call):
            return False
        call = node.value
        return (
            isinstance(call.func, ast.Attribute)
            and call.func.attr == "run_line_magic"
            and bool(call.args)
            and isinstance(call.args[0], ast.Constant)
            and call.args[0].value in (self._name, "autopx")
        )

    def _before_switch(self, cell: str) -> str:
        return re.split(rf"^%(?:{self._name}|autopx)\b", cell, maxsplit=1, flags=re.MULTILINE)[0]
