"""Agents: processes beside engines that take signals for them; see ``engine/agent.py``."""

from __future__ import annotations

from collections.abc import Iterable


class Agents:
    """Which agent stands for which engine."""

    def __init__(self) -> None:
        self._by_engine: dict[str, bytes] = {}

    def of(self, uuid: str) -> bytes | None:
        """Identity of the agent that stands for an engine; None if there is none."""
        return self._by_engine.get(uuid)

    def announced(self, agent: bytes, engines: Iterable[str]) -> None:
        """An agent says for which engines it stands: these, and no others any more."""
        self.lost(agent)
        self._by_engine.update(dict.fromkeys(engines, agent))

    def lost(self, agent: bytes) -> None:
        """An agent cannot be reached."""
        for uuid in [uuid for uuid, known in self._by_engine.items() if known == agent]:
            del self._by_engine[uuid]

    def knows(self, agent: bytes) -> bool:
        """Whether this is the identity of an agent that stands for somebody."""
        return agent in self._by_engine.values()

    def forget(self, uuid: str) -> None:
        """An engine is gone."""
        self._by_engine.pop(uuid, None)
