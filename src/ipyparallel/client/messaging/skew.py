"""Engines whose versions are not this client's: told once when met, and again when it hurts."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Mapping
from pickle import UnpicklingError
from typing import TYPE_CHECKING

from ...error import ControllerLost, EngineError, KernelError, RemoteError, VersionMismatchWarning
from ...protocol.versions import Versions, own_versions, troubles

if TYPE_CHECKING:
    from .tasks import MessageFuture

#: Of how many engines it is remembered that they differ; also after they have left, since what
#: failed for it is perhaps told later.
_REMEMBERED = 1000

#: What may come of a difference, and what to do.
_PYTHON = (
    "functions and classes from scripts and notebooks travel as bytecode, which another Python"
    " cannot run, so that such calls fail. Run client and engines with the same minor version of"
    " Python."
)
_PACKAGE = (
    "what one of them has pickled, the other may not be able to read. Install the same major"
    " version of {name} on both sides."
)

#: How unpickling fails, and an engine dies, for a difference between Pythons; what is not said
#: plainly by the error itself.
_PUZZLING = (AttributeError, EngineError, ImportError, SystemError, UnpicklingError)

#: Of an engine: its id, and what differs on it so much that it may be the reason of an error.
_Differing = tuple[int, dict[str, tuple[str, str]]]


class Skew:
    """Compares versions, and remembers which engines differ.

    Parameters
    ----------
    mine : mapping, optional
        Versions of this process.
    """

    def __init__(self, mine: Versions | None = None) -> None:
        self._mine = mine
        self._told: set[tuple[str, str]] = set()
        self._differing: dict[str, _Differing] = {}

    @property
    def mine(self) -> Versions:
        """Versions of this process."""
        return own_versions() if self._mine is None else self._mine

    def meet(self, engines: Mapping[str, tuple[int, Versions]], stacklevel: int = 1) -> None:
        """These engines have come: warn, if they differ in a way that no other did before.

        Parameters
        ----------
        engines : mapping
            By uuid the id and the versions, which are empty for an engine that tells none.
        stacklevel : int
            How many calls above this one is the line that is warned of.

        Warns
        -----
        VersionMismatchWarning
        """
        kinds: dict[tuple[str, str], list[int]] = {}
        for uuid, (engine_id, versions) in engines.items():
            found = troubles(self.mine, versions)
            if not found:
                continue
            while len(self._differing) >= _REMEMBERED:
                del self._differing[next(iter(self._differing))]
            self._differing[uuid] = engine_id, found
            for name, (_, theirs) in found.items():
                kinds.setdefault((name, theirs), []).append(engine_id)
        for (name, theirs), ids in kinds.items():
            if (name, theirs) not in self._told:
                self._told.add((name, theirs))
                text = describe(name, self.mine[name], theirs, ids)
                warnings.warn(text, VersionMismatchWarning, stacklevel + 1)

    def explain(self, error: BaseException, task: MessageFuture, uuid: str) -> None:
        """Add a note to the error of a task if the reason may be how its engine differs.

        Parameters
        ----------
        uuid : str
            The engine that had the task; empty if none is known.
        """
        if uuid not in self._differing or not _may_be_of_it(error, task):
            return
        engine_id, found = self._differing[uuid]
        for name, (mine, theirs) in found.items():
            # of other packages the error says the name
            if _is_puzzling(error) if name == "python" else name in str(error):
                error.add_note(
                    f"This may be the reason: {describe(name, mine, theirs, [engine_id])}"
                )


def _may_be_of_it(error: BaseException, task: MessageFuture) -> bool:
    if task.header.msg_type != "apply_request" or isinstance(error, ControllerLost):
        return False  # code travels as text
    # what the cluster itself says, such as that a task was aborted, has other reasons
    return isinstance(error, (RemoteError, EngineError)) or not isinstance(error, KernelError)


def _is_puzzling(error: BaseException) -> bool:
    if isinstance(error, ModuleNotFoundError):
        # others may be missing whatever the Python
        return (error.name or "").partition(".")[0] in sys.stdlib_module_names
    return isinstance(error, _PUZZLING)


def describe(name: str, mine: str, theirs: str, engines: list[int]) -> str:
    """A difference, what may come of it, and what to do, in words."""
    who = f"engine {engines[0]} has" if len(engines) == 1 else f"engines {ranges(engines)} have"
    what, means = ("Python", _PYTHON) if name == "python" else (name, _PACKAGE.format(name=name))
    return f"{who} {what} {theirs}, and this client has {mine}: {means}"


def ranges(numbers: list[int]) -> str:
    """Numbers as text: ``0-3, 5``."""
    runs: list[list[int]] = []
    for number in sorted(numbers):
        if runs and runs[-1][-1] == number - 1:
            runs[-1][1:] = [number]
        else:
            runs.append([number])
    return ", ".join("-".join(map(str, run)) for run in runs)
