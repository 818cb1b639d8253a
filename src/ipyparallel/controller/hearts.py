"""Heartbeats: the second line of defence, for what no supervisor is left to report."""

from __future__ import annotations

#: Beats missed in a row after which an engine counts as away, if it may miss more.
AWAY_AFTER = 3


class Hearts:
    """Counts beats that were missed.

    Parameters
    ----------
    max_misses : int
        Beats that may be missed in a row; one more, and the heart counts as stopped.
    """

    def __init__(self, max_misses: int = 30) -> None:
        self.max_misses = max_misses
        self._misses: dict[str, int] = {}
        self._answered: set[str] = set()
        self._away: set[str] = set()
        self._newly_away: list[str] = []

    def watch(self, uuid: str) -> None:
        """Expect answers from this heart from now on."""
        self._misses.setdefault(uuid, 0)

    def forget(self, uuid: str) -> None:
        """Expect no more answers from this heart."""
        self._misses.pop(uuid, None)
        self._answered.discard(uuid)
        self._away.discard(uuid)

    def pong(self, uuid: str) -> bool:
        """A heart answered. A late answer is one, too: it shows that the engine lives.

        Returns
        -------
        bool
            Whether it was away, which is over.
        """
        if uuid in self._misses:
            self._answered.add(uuid)
        if uuid not in self._away:
            return False
        self._away.discard(uuid)
        return True

    def take_away(self) -> list[str]:
        """The hearts that count as away since the last call, and still do."""
        newly, self._newly_away = self._newly_away, []
        return [uuid for uuid in newly if uuid in self._away]

    def beat(self) -> list[str]:
        """A period is over.

        Returns
        -------
        list of str
            The hearts that have stopped; they are forgotten.
        """
        stopped = []
        for uuid in self._misses:
            if uuid in self._answered:
                self._misses[uuid] = 0
                continue
            self._misses[uuid] += 1
            if self._misses[uuid] > self.max_misses:
                stopped.append(uuid)
            elif self._misses[uuid] == AWAY_AFTER:
                self._away.add(uuid)
                self._newly_away.append(uuid)
        self._answered.clear()
        for uuid in stopped:
            self.forget(uuid)
        return stopped
