"""How an old import path says that it is one."""

from __future__ import annotations

import warnings


def moved(old: str, new: str) -> None:
    """Warn whoever imports the module `old`, which calls this while it is imported."""
    warnings.warn(f"{old} is deprecated: use {new}", DeprecationWarning, stacklevel=3)
