"""The rules by which a free engine is chosen, one a file."""

from __future__ import annotations

from collections.abc import Callable

from .leastload import LeastLoad
from .protocol import Policy

#: By the name given to ``--scheme``.
POLICIES: dict[str, Callable[[], Policy]] = {"leastload": LeastLoad}

__all__ = ["POLICIES", "LeastLoad", "Policy"]
