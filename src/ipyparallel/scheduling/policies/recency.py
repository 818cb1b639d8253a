"""Which engines were used longest ago."""

from __future__ import annotations

from ..state import Engine


class Recency:
    """Ranks engines by their last use; a new one counts as unused for longer than all others.

    An engine is used when it gets a task, which shows in its load.
    """

    def __init__(self) -> None:
        self._rank: dict[Engine, int] = {}
        self._load: dict[Engine, int] = {}
        self._first = 0
        self._last = 0

    def __contains__(self, engine: object) -> bool:
        return engine in self._rank

    def __len__(self) -> int:
        return len(self._rank)

    def __getitem__(self, engine: Engine) -> int:
        """The lower, the longer ago; no two engines have the same, and none is given twice."""
        return self._rank[engine]

    def add(self, engine: Engine) -> None:
        """An engine joined."""
        self._first -= 1
        self._rank[engine] = self._first
        self._load[engine] = engine.load

    def remove(self, engine: Engine) -> None:
        """An engine left."""
        del self._rank[engine], self._load[engine]

    def update(self, engine: Engine) -> None:
        """The load of an engine may have changed; if it grew, the engine is the last one used."""
        if engine.load > self._load[engine]:
            self._last += 1
            self._rank[engine] = self._last
        self._load[engine] = engine.load
