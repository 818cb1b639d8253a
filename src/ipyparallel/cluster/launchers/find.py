"""Launcher classes by name: entry points, import strings, and the way back to a short name.

Packages add launchers as entry points of the groups ``ipyparallel.controller_launchers`` and
``ipyparallel.engine_launchers``.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

from traitlets import TraitError, Type
from traitlets.utils.importstring import import_item

from .base import BaseLauncher
from .roles import ControllerLauncher, EngineLauncher

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

Kind = Literal["controller", "engine"]

#: Those that are used all the time are found without a search through all installed packages.
_BUILTIN: Mapping[Kind, Mapping[str, str]] = {
    "controller": {"local": "ipyparallel.cluster.launchers.local:LocalControllerLauncher"},
    "engine": {"local": "ipyparallel.cluster.launchers.local:LocalEngineSetLauncher"},
}
_BASES: Mapping[Kind, type[BaseLauncher]] = {
    "controller": ControllerLauncher,
    "engine": EngineLauncher,
}
#: The public home of the launcher classes.
_PUBLIC_MODULE = "ipyparallel.cluster.launcher"


def find_launcher_class(name: str, kind: Kind = "engine") -> type[BaseLauncher]:
    """The launcher class that a name stands for.

    Parameters
    ----------
    name : str
        An entry point's name, in any case (``local``, ``Slurm``); or the name of a class, with
        its module or, if it is one of ours, without.
    kind : {'engine', 'controller'}
        What it shall launch.

    Raises
    ------
    ValueError
        The name stands for nothing; the text lists the known short names.
    TypeError
        It stands for something that is not such a launcher.
    """
    launcher = _find(name, kind)
    if not (isinstance(launcher, type) and issubclass(launcher, BaseLauncher)):
        raise TypeError(f"{name!r} is not a launcher class, but {launcher!r}")
    return launcher


def _find(name: str, kind: Kind) -> Any:
    if (builtin := _BUILTIN[kind].get(name.lower())) is not None:
        return import_item(builtin.replace(":", "."))
    if "." in name:
        try:
            return import_item(name)
        except ImportError as e:
            raise ValueError(f"There is no {kind} launcher {name!r}: {e}") from e
    known = _known(kind)
    if name.lower() in known:
        return known[name.lower()].load()
    try:
        return import_item(f"{_PUBLIC_MODULE}.{name}")
    except ImportError:
        raise ValueError(
            f"There is no {kind} launcher {name!r}. Known are {', '.join(sorted(known))}; others"
            " are given by their import path"
        ) from None


def _known(kind: Kind) -> dict[str, EntryPoint]:
    # late, as it takes long to import, and longer to search
    from importlib.metadata import EntryPoint, entry_points

    group = f"ipyparallel.{kind}_launchers"
    builtin = [EntryPoint(name, value, group) for name, value in _BUILTIN[kind].items()]
    return {point.name.lower(): point for point in [*entry_points(group=group), *builtin]}


@functools.cache
def abbreviate_launcher_class(cls: type[BaseLauncher]) -> str:
    """The shortest text that `find_launcher_class` takes for this class.

    A class may say it itself, as ``entrypoint_name``, which does not hold for its subclasses.
    """
    if name := vars(cls).get("entrypoint_name"):
        return str(name)
    kind: Kind = "controller" if issubclass(cls, ControllerLauncher) else "engine"
    path = f"{cls.__module__}:{cls.__qualname__}"
    for name, point in _known(kind).items():
        if point.value == path:
            return name
    return path.replace(":", ".")


class Launcher(Type[Any, Any]):
    """A trait whose value is a launcher class, given as a class or by any of its names."""

    def __init__(self, kind: Kind, **kwargs: Any) -> None:
        self.kind = kind
        super().__init__(klass=_BASES[kind], **kwargs)

    def _resolve_string(self, string: str) -> Any:
        # traitlets calls this for a default value
        return find_launcher_class(string, self.kind)

    def validate(self, obj: Any, value: Any) -> Any:
        """Take a class, or find it by its name."""
        if isinstance(value, str):
            try:
                value = self._resolve_string(value)
            except (ValueError, TypeError) as e:
                raise TraitError(f"{self.name}: {e}") from None
        return super().validate(obj, value)
