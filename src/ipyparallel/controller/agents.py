"""Agents: processes beside engines that take signals for them; see ``engine/agent.py``."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from ..protocol.session import Message

#: More requests than this are not kept for agents that do not answer.
_MAX_HANDED = 10_000


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


class Handed:
    """Requests that agents were handed, until these have answered."""

    def __init__(self) -> None:
        self._requests: dict[tuple[str, str], tuple[bytes, Message]] = {}

    def add(self, agent: bytes, uuid: str, request: Message) -> list[Message]:
        """A request for an engine was handed to its agent.

        Returns
        -------
        list of Message
            Those, if any, that waited longest, and are too many.
        """
        self._requests[uuid, request.header.msg_id] = (agent, request)
        surplus = len(self._requests) - _MAX_HANDED
        return [self._requests.pop(key)[1] for key in list(self._requests)[: max(0, surplus)]]

    def answered(self, uuid: str, msg_id: str) -> None:
        """The answer to a request has come; or to one that was not handed to an agent."""
        self._requests.pop((uuid, msg_id), None)

    def lost(self, agent: bytes) -> list[Message]:
        """An agent cannot be reached: what it had to answer."""
        return self._take(lambda whose, uuid: whose == agent)

    def replaced(self, agent: bytes, engines: Iterable[str]) -> list[Message]:
        """An agent stands for these engines: what others had to answer for them."""
        taken = set(engines)
        return self._take(lambda whose, uuid: whose != agent and uuid in taken)

    def forget(self, uuid: str) -> list[Message]:
        """An engine is gone: what was to be answered for it."""
        return self._take(lambda whose, of: of == uuid)

    def _take(self, is_meant: Callable[[bytes, str], bool]) -> list[Message]:
        keys = [key for key, (agent, _) in self._requests.items() if is_meant(agent, key[0])]
        return [self._requests.pop(key)[1] for key in keys]
