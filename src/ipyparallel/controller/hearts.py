"""Heartbeats: the second line of defence, for what no supervisor is left to report."""

from __future__ import annotations


class Hearts:
    """Counts beats that were missed.

    Parameters
    ----------
    max_misses : int
        Beats that may be missed in a row; one more, and the heart counts as stopped.
    """

    def __init__(self, max_misses: int = 10) -> None:
        self.max_misses = max_misses
        self._misses: dict[str, int] = {}
        self._answered: set[str] = set()

    def watch(self, uuid: str) -> None:
        """Expect answers from this heart from now on."""
        self._misses.setdefault(uuid, 0)

    def forget(self, uuid: str) -> None:
        """Expect no more answers from this heart."""
        self._misses.pop(uuid, None)
        self._answered.discard(uuid)

    def pong(self, uuid: str) -> None:
        """A heart answered. A late answer is one, too: it shows that the engine lives."""
        if uuid in self._misses:
            self._answered.add(uuid)

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
            else:
                self._misses[uuid] += 1
                if self._misses[uuid] > self.max_misses:
                    stopped.append(uuid)
        self._answered.clear()
        for uuid in stopped:
            self.forget(uuid)
        return stopped
