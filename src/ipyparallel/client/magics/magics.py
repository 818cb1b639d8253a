"""The magics of IPython: ``%px``, ``%%px``, ``%pxconfig``, ``%pxresult``, ``%autopx``.

Each view that is activated has a set of its own, told apart by a suffix. This module imports
IPython, and is imported when the first view is activated.
"""

from __future__ import annotations

import argparse
import os
import weakref
from collections.abc import Callable
from typing import Any

from IPython.core.error import UsageError
from IPython.core.magic import Magics, magics_class, no_var_expand
from IPython.core.magic_arguments import argument, magic_arguments, parse_argstring

from ...error import IPythonError
from ..results import AsyncResult
from .autopx import AutoPx
from .px import Run, describe_targets, parse_signal, parse_targets, shown_in_one_line

#: What ``%pxresult`` says before there is anything to recall.
NO_LAST_RESULT = "%pxresult recalls last %px result, which has not yet been used."

Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]


def exec_args(magic: Callable[..., Any]) -> Callable[..., Any]:
    """Give a magic the options about how code is run."""
    return _with_arguments(
        magic,
        argument(
            "-b",
            "--block",
            action="store_const",
            const=True,
            dest="block",
            help="wait for the end, and show what there is to show",
        ),
        argument(
            "-a",
            "--noblock",
            action="store_const",
            const=False,
            dest="block",
            help="return an AsyncResult at once; %%pxresult shows the outputs",
        ),
        argument(
            "--stream",
            action="store_const",
            const=True,
            dest="stream",
            help="show output as it comes, while waiting",
        ),
        argument(
            "--no-stream",
            action="store_const",
            const=False,
            dest="stream",
            help="show output at the end, grouped",
        ),
        argument("-t", "--targets", help="engines: 'all', an id, a list, or a slice such as 0:4"),
        argument(
            "--verbose",
            action="store_const",
            const=True,
            dest="verbose",
            help="say each time where the code is run",
        ),
        argument(
            "--no-verbose",
            action="store_const",
            const=False,
            dest="verbose",
            help="do not say where the code is run",
        ),
        argument(
            "--progress-after",
            type=float,
            dest="progress_after_seconds",
            help="seconds after which a progress bar is shown; 0: at once, -1: never",
        ),
        argument(
            "--signal-on-interrupt",
            help="what engines get when you interrupt: name or number of a signal, by default"
            " SIGINT; 0: nothing, they go on",
        ),
        argument(
            "--timeout",
            type=float,
            help="seconds the code may take; engines that still run it then are interrupted."
            " 0: any time",
        ),
    )


def output_args(magic: Callable[..., Any]) -> Callable[..., Any]:
    """Give a magic the options about what is shown, and kept."""
    return _with_arguments(
        magic,
        argument(
            "-r",
            action="store_const",
            const="order",
            default="type",
            dest="groupby",
            help="short for --group-outputs order",
        ),
        argument(
            "-e",
            action="store_const",
            const="engine",
            default="type",
            dest="groupby",
            help="short for --group-outputs engine",
        ),
        argument(
            "--group-outputs",
            choices=["engine", "order", "type"],
            default="type",
            dest="groupby",
            help="what belongs together if it is shown at the end. type: all text, then all that"
            " was displayed, then all results; engine: everything of one engine; order: like"
            " type, but the first plot of each engine, then the second of each",
        ),
        argument("-o", "--out", dest="save_name", help="the variable to keep the AsyncResult in"),
    )


def _with_arguments(magic: Callable[..., Any], *decorators: Decorator) -> Callable[..., Any]:
    for decorator in reversed(decorators):
        magic = decorator(magic)
    return magic


@magics_class
class ParallelMagics(Magics):  # type: ignore[misc]
    """The magics of one view.

    Parameters
    ----------
    shell : InteractiveShell
    view : DirectView
        Its `targets` and `block` are those of the magics, also when they change.
    suffix : str
        Put behind the names of the magics.
    successor : callable, optional
        Gives the view, if any, that follows when this one is gone. Without it the view, and so its
        client, is kept for the magics.

    Attributes
    ----------
    stream_output : bool
        Whether output is shown as it comes.
    progress_after_seconds : float
        When a progress bar appears; -1: never.
    signal_on_interrupt : str or int
        What engines get when the user interrupts.
    timeout : float
        How many seconds code may take; 0: any.
    verbose : bool
        Whether to say where code is run.
    last_result : AsyncResult or None
        Of the last ``%px``.
    """

    def __init__(
        self,
        shell: Any,
        view: Any,
        suffix: str = "",
        successor: Callable[[], Any] | None = None,
    ) -> None:
        super().__init__(shell)
        self._view: Callable[[], Any] = weakref.ref(view)
        self._successor = successor
        self._kept = None if successor else view
        self.suffix = suffix
        quiet = os.environ.get("IPP_NONINTERACTIVE", "") not in ("", "0")
        self.stream_output = not quiet
        self.progress_after_seconds: float = -1 if quiet else 2
        self.signal_on_interrupt: str | int = "SIGINT"
        self.timeout: float = 0
        self.verbose = False
        self._auto = AutoPx(shell, f"autopx{suffix}", self.parallel_execute)
        self.magics = {
            "line": {
                f"px{suffix}": self.px,
                f"autopx{suffix}": self.autopx,
                f"pxconfig{suffix}": self.pxconfig,
                f"pxresult{suffix}": self.result,
            },
            "cell": {f"px{suffix}": self.cell_px},
        }
        if not suffix:
            self.magics["line"]["result"] = self.result

    # ---- the view

    @property
    def view(self) -> Any:
        """The view that the magics run code with.

        Raises
        ------
        UsageError
            Its client was closed.
        """
        view = self._view()
        if view is None and self._successor and (view := self._successor()) is not None:
            self._view = weakref.ref(view)
        if view is None:
            raise UsageError(
                f"The client of %px{self.suffix} was closed, or is gone. Make a new one:"
                " ipp.Client(), or call activate() on one you have."
            )
        return view

    @property
    def is_released(self) -> bool:
        """Whether the client of the view was closed, or is gone."""
        return self._view() is None

    def release(self, client: Any) -> None:
        """This client was closed: keep nothing of it."""
        view = self._view()
        if view is not None and view.client is client:
            self._kept = None
            self._view = lambda: None

    @property
    def last_result(self) -> AsyncResult | None:
        """See the class. It knows its client, and so is kept where that is known anyway."""
        results = getattr(self._view(), "_px_results", {})
        return results.get(self.suffix)

    @last_result.setter
    def last_result(self, result: AsyncResult) -> None:
        view = self.view
        view._px_results = {**getattr(view, "_px_results", {}), self.suffix: result}

    # ---- running code

    @no_var_expand  # type: ignore[untyped-decorator]
    def px(self, line: str = "") -> AsyncResult | None:
        """Run one line on the engines.

        Nothing is expanded: ``$`` and ``{}`` get there as they are written. Examples::

            %px import numpy
            %px a = numpy.random.rand(2, 2)

        Returns an AsyncResult if the view does not block.
        """
        return self.parallel_execute(line)

    @magic_arguments("%px")  # type: ignore[untyped-decorator]
    @exec_args
    @output_args
    @argument(  # type: ignore[untyped-decorator]
        "--local", action="store_true", help="run the cell here, too, while the engines run it"
    )
    def cell_px(self, line: str = "", cell: str = "") -> AsyncResult | None:
        """Run the cell on the engines.

        Options are for this cell only; ``%pxconfig`` sets them for later ones. Examples::

            %%px --targets 0:2 --timeout 60
            model.fit(data)

            %%px --noblock --out fitted
            model.fit(data)
        """
        args = parse_argstring(self.cell_px, line)
        return self.parallel_execute(
            cell,
            block=args.block,
            groupby=args.groupby,
            save_name=args.save_name,
            stream_output=args.stream,
            progress_after=args.progress_after_seconds,
            signal_on_interrupt=args.signal_on_interrupt,
            targets=args.targets,
            timeout=args.timeout,
            local=args.local,
        )

    def parallel_execute(
        self,
        cell: str,
        block: bool | None = None,
        groupby: str = "type",
        save_name: str | None = None,
        stream_output: bool | None = None,
        progress_after: float | None = None,
        signal_on_interrupt: str | int | None = None,
        targets: Any = None,
        timeout: float | None = None,
        local: bool = False,
    ) -> AsyncResult | None:
        """Run code on the engines; what is not given is as configured.

        Parameters
        ----------
        cell : str
            The code.
        block : bool, optional
            Whether to wait.
        groupby : str
            See `AsyncResult.display_outputs`.
        save_name : str, optional
            The variable for the AsyncResult.
        stream_output : bool, optional
            Whether to show output as it comes.
        progress_after : float, optional
            Seconds; see the class.
        signal_on_interrupt : str or int, optional
            See the class.
        targets : optional
            Engines, or a string that says which; see `parse_targets`.
        timeout : float, optional
            Seconds the code may take.
        local : bool
            Whether to run it here, too.

        Returns
        -------
        AsyncResult or None
            None when blocking.
        """
        view = self.view
        block = view.block if block is None else block
        if timeout is not None and not block:
            raise UsageError("--timeout needs a blocking %px: add --block")
        if save_name is not None and not save_name.isidentifier():
            raise UsageError(f"--out needs the name of a variable, not {save_name!r}")
        if targets is None:
            targets = view.targets
        else:
            targets = parse_targets(targets, view.client, self.shell)
        run = Run(
            view.client,
            stream=self.stream_output if stream_output is None else stream_output,
            groupby=groupby,
            progress_after=(
                self.progress_after_seconds if progress_after is None else progress_after
            ),
            signal=parse_signal(
                self.signal_on_interrupt if signal_on_interrupt is None else signal_on_interrupt
            ),
            timeout=_seconds(self.timeout if timeout is None else timeout),
        )
        if self.verbose:
            how = "Parallel" if block else "Async parallel"
            print(f"{how} execution on engine(s): {describe_targets(targets)}")  # noqa: T201
        try:
            result: AsyncResult = view.execute(cell, silent=False, targets=targets, block=False)
        except IPythonError as e:
            raise shown_in_one_line(e) from None
        result._fname = "%px"
        self.last_result = result
        if save_name is not None:
            self.shell.user_ns[save_name] = result
        if local:
            self.shell.run_cell(cell)
        if not block:
            return result
        run.wait(result)
        return None

    # ---- options and results

    @magic_arguments("pxconfig")  # type: ignore[untyped-decorator]
    @exec_args
    def pxconfig(self, line: str = "") -> None:
        """Set the options of ``%%px`` for all later ones."""
        args = parse_argstring(self.pxconfig, line)
        view = self.view
        signal = args.signal_on_interrupt
        # everything is looked at before anything is changed
        targets = (
            None if args.targets is None else parse_targets(args.targets, view.client, self.shell)
        )
        timeout = None if args.timeout is None else _seconds(args.timeout)
        if signal is not None:
            self.signal_on_interrupt = parse_signal(signal)
        if args.timeout is not None:
            self.timeout = timeout or 0
        if targets is not None:
            view.targets = targets
        if args.block is not None:
            view.block = args.block
        if args.stream is not None:
            self.stream_output = args.stream
        if args.verbose is not None:
            self.verbose = args.verbose
        if args.progress_after_seconds is not None:
            self.progress_after_seconds = args.progress_after_seconds

    @magic_arguments("pxresult")  # type: ignore[untyped-decorator]
    @output_args
    def result(self, line: str = "") -> None:
        """Show the outputs of the last ``%px`` again, or for the first time if it did not block.

        With ``--out`` the AsyncResult is only kept.
        """
        args: argparse.Namespace = parse_argstring(self.result, line)
        result = self.last_result
        if result is None:
            raise UsageError(NO_LAST_RESULT)
        if args.save_name:
            self.shell.user_ns[args.save_name] = result
            return
        result.wait()
        result.display_outputs(groupby=args.groupby)
        result.get()

    # ---- everything

    def autopx(self, line: str = "") -> None:
        """Run everything that is typed on the engines, until ``%autopx`` is typed again."""
        self._auto.toggle()


def _seconds(timeout: float) -> float | None:
    if timeout < 0:
        raise UsageError(f"--timeout needs a number of seconds, not {timeout:g}")
    return timeout or None
