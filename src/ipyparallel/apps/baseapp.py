"""The old import path of what the applications have in common."""

from ..application import BaseParallelApplication, base_aliases, base_flags
from ._deprecated import moved

moved(__name__, "ipyparallel.application")

base_ip_aliases = base_aliases
base_ip_flags = base_flags


class PIDFileError(Exception):
    """Raised by nothing any more: a stale file does not block a start."""


__all__ = [
    "BaseParallelApplication",
    "PIDFileError",
    "base_aliases",
    "base_flags",
    "base_ip_aliases",
    "base_ip_flags",
]
