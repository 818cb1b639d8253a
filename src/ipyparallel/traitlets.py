"""Traits for configurable classes that have to do with clusters."""

from __future__ import annotations

from typing import Any, Literal

from traitlets import List, TraitError

from .cluster.launchers import find
from .controller.ports import parse_ports

__all__ = ["Launcher", "PortList"]

#: What kind of launcher belongs to which entry points.
_KINDS: dict[str, Literal["controller", "engine"]] = {
    "ipyparallel.controller_launchers": "controller",
    "ipyparallel.engine_launchers": "engine",
}


class Launcher(find.Launcher):
    """A trait whose value is a launcher class, given as a class or by any of its names.

    Parameters
    ----------
    entry_point_group : str
        ``ipyparallel.controller_launchers`` or ``ipyparallel.engine_launchers``.
    """

    def __init__(self, *args: Any, entry_point_group: str, **kwargs: Any) -> None:
        if entry_point_group not in _KINDS:
            raise ValueError(
                f"entry_point_group must be {' or '.join(_KINDS)}, not {entry_point_group!r}"
            )
        kwargs.pop("klass", None)  # the group decides
        if args:
            kwargs["default_value"] = args[0]
        super().__init__(_KINDS[entry_point_group], **kwargs)


class PortList(List[int]):
    """A trait whose value is a list of port numbers; ``10101-10105,10108`` on command lines."""

    @staticmethod
    def parse_port_range(s: str) -> list[int]:
        """Port numbers from text such as ``10101-10105,10108``."""
        return parse_ports(s)

    def from_string_list(self, s_list: list[str]) -> list[int]:
        """What is given on a command line, perhaps several times."""
        return [port for text in s_list for port in parse_ports(text)]

    def validate(self, obj: Any, value: Any) -> list[int]:
        """A list of numbers that ports can have."""
        ports = super().validate(obj, value)
        for port in ports or ():
            if not isinstance(port, int) or isinstance(port, bool) or not 0 < port < 65536:
                raise TraitError(f"Ports must be integers in range 1-65535, not {port!r}")
        return list(ports or ())


def __getattr__(name: str) -> Any:
    if name == "entry_points":  # late, as it takes long to import
        from importlib.metadata import entry_points

        return entry_points
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
