"""Executes cells as a notebook, with a kernel of the python under test."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import nbclient
import nbformat.v4
from jupyter_client.kernelspec import KernelSpecManager
from jupyter_client.manager import AsyncKernelManager
from nbclient.exceptions import CellControlSignal, DeadKernelError

from .cells import Cell
from .seen import Seen, without_escapes

#: Seconds for a cell to be done with.
_TIMEOUT = 90


class Notebook:
    """A notebook whose kernel is installed nowhere else than in `folder`."""

    def __init__(self, python: str, folder: Path, env: Mapping[str, str], told: Path) -> None:
        self._folder = folder
        self._told = told
        self._kernels = folder / "kernels"
        spec = self._kernels / "python3" / "kernel.json"
        spec.parent.mkdir(parents=True)
        spec.write_text(
            json.dumps(
                {
                    "display_name": "Python 3",
                    "language": "python",
                    "argv": [
                        python,
                        "-m",
                        "ipykernel_launcher",
                        "-f",
                        "{connection_file}",
                        f"--IPKernelApp.exec_files={Path(__file__).with_name('told.py')}",
                    ],
                }
            )
        )
        self._env = dict(env)

    def play(self, cells: Sequence[Cell]) -> Iterator[Seen]:
        """Execute the notebook; what came of each cell.

        Raises
        ------
        CellControlSignal, DeadKernelError
            A cell did not end, or its kernel did; told after the cells before it.
        """
        notebook = nbformat.v4.new_notebook(
            cells=[nbformat.v4.new_code_cell(cell.typed) for cell in cells]
        )
        client = _Client(
            notebook,
            kernels=self._kernels,
            timeout=_TIMEOUT,
            allow_errors=True,
            resources={"metadata": {"path": str(self._folder)}},
        )
        failure = None
        with (self._folder / "kernel.log").open("ab") as log:
            try:
                # in a loop of its own, which is closed
                asyncio.run(client.async_execute(env=self._env, stdout=log, stderr=log))
            except (CellControlSignal, DeadKernelError) as e:
                failure = e
        errors = [json.loads(line) for line in self._told.read_text().splitlines()]
        for cell, pages, raised in zip(notebook.cells, client.pages, errors, strict=False):
            yield _seen(cell.outputs, pages, raised)
        if failure is not None:
            raise failure

    def end(self) -> None:
        """Nothing is left to end: the kernel ends with the execution."""


class _Client(nbclient.NotebookClient):
    """Executes a notebook as nbclient does, with the kernels of a folder and no others.

    Parameters
    ----------
    kernels : Path
        The folder.
    """

    def __init__(self, notebook: nbformat.NotebookNode, kernels: Path, **options: Any) -> None:
        super().__init__(notebook, on_cell_executed=self._keep_pages, **options)
        self._kernels = kernels
        #: What each cell showed in the pager.
        self.pages: list[str] = []

    def create_kernel_manager(self) -> AsyncKernelManager:
        """The manager of a kernel that is yet to start."""
        specs = KernelSpecManager(kernel_dirs=[str(self._kernels)], ensure_native_kernel=False)
        self.km = AsyncKernelManager(kernel_name="python3", kernel_spec_manager=specs)
        return self.km

    def _keep_pages(self, execute_reply: dict[str, Any], **_: Any) -> None:
        pages = [
            payload["data"]["text/plain"]
            for payload in execute_reply["content"].get("payload", [])
            if payload["source"] == "page"
        ]
        self.pages.append("".join(pages))


def _seen(outputs: Sequence[Any], pages: str, errors: list[str]) -> Seen:
    seen = Seen(text=pages, errors=errors)
    for output in outputs:
        if output.output_type == "stream":
            seen.text += output.text
        elif output.output_type == "error":
            seen.text += "\n".join(output.traceback) + "\n"
        else:
            shown = output.data.get("text/plain", "")
            seen.text += f"{shown}\n" + "".join(
                f"<{kind}>\n" for kind in output.data if kind.startswith("image/")
            )
            if output.output_type == "execute_result":
                seen.value = shown
    seen.text = without_escapes(seen.text)
    return seen
