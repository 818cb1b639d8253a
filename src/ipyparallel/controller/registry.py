"""Which engines there are, and which are on their way."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from ..protocol.resources import check_resources

#: Channels on which an engine of this package reports that it can be reached.
CHANNELS = frozenset(("mux", "task", "control"))

#: So many engines that are gone are known by their ids, those that went last.
_MAX_FORMER = 10_000


@dataclass(slots=True)
class Engine:
    """An engine the hub knows of.

    It is *coming* until it can be reached on every channel: an engine of this package says so on
    each of them; a published one is taken to be reachable when its heart has beaten.
    """

    id: int
    uuid: str
    native: bool
    unreached: set[str] = field(default_factory=lambda: set(CHANNELS))
    ready: bool = False
    #: How much it has of what tasks may ask for, by name.
    resources: dict[str, float] = field(default_factory=dict)
    #: Whether it was registered before, and has come back.
    returning: bool = False
    #: What it held then: ids of direct requests, and balanced tasks as they were sent.
    holding: list[str] = field(default_factory=list)
    #: Those of these that are balanced.
    balanced: list[str] = field(default_factory=list)
    #: The balanced tasks that it had answered last by then, and will answer again.
    answered: list[str] = field(default_factory=list)
    #: Versions of Python and of key packages, by name; empty if it tells none.
    versions: dict[str, str] = field(default_factory=dict)


class RegistrationError(ValueError):
    """An engine cannot be registered; the text says why."""


class Registry:
    """Gives ids to engines and keeps the list of them."""

    def __init__(self) -> None:
        self._engines: dict[str, Engine] = {}
        #: Ids of the engines that went last, by uuid.
        self._former: dict[str, int] = {}
        #: The first id that was never given by count.
        self.next_id = 0

    def __contains__(self, uuid: object) -> bool:
        return uuid in self._engines

    def get(self, uuid: str) -> Engine | None:
        """The engine of that uuid, ready or coming."""
        return self._engines.get(uuid)

    @property
    def ready(self) -> list[Engine]:
        """The engines that work can be sent to, by id."""
        return sorted((e for e in self._engines.values() if e.ready), key=lambda e: e.id)

    @property
    def coming(self) -> list[Engine]:
        """The engines that cannot be reached yet."""
        return [e for e in self._engines.values() if not e.ready]

    def by_id(self, engine_id: int) -> Engine | None:
        """The engine of that id, ready or coming."""
        return next((e for e in self._engines.values() if e.id == engine_id), None)

    def register(
        self,
        uuid: str,
        requested: int | None = None,
        *,
        native: bool = False,
        resources: Mapping[str, float] | None = None,
        versions: Mapping[str, str] | None = None,
    ) -> Engine:
        """Take in an engine.

        Parameters
        ----------
        uuid : str
            Its session id.
        requested : int, optional
            The id it would like; given if free. Ids given by count are never given again.
        native : bool
            Whether it is of this package.
        resources : mapping, optional
            How much it has of what tasks may ask for, by name.
        versions : mapping, optional
            Versions of Python and of key packages, by name.

        Raises
        ------
        RegistrationError
            The uuid is taken, or the resources make no sense.
        """
        if uuid in self._engines:
            raise RegistrationError(f"uuid {uuid!r} in use")
        if not uuid:
            raise RegistrationError("an engine needs a uuid")
        try:
            known = check_resources(resources or {})
        except (TypeError, ValueError) as e:
            raise RegistrationError(str(e)) from None
        taken = {e.id for e in self._engines.values()}
        if requested is None or requested < 0 or requested in taken:
            while self.next_id in taken:
                self.next_id += 1
            requested = self.next_id
            self.next_id += 1
        engine = self._engines[uuid] = Engine(
            requested, uuid, native, resources=known, versions=dict(versions or {})
        )
        return engine

    def reached(self, uuid: str, channel: str) -> bool:
        """An engine reported on a channel. True when this makes it ready."""
        engine = self._engines.get(uuid)
        if engine is None or engine.ready:
            return False
        engine.unreached.discard(channel)
        engine.ready = not engine.unreached
        return engine.ready

    def beat(self, uuid: str) -> bool:
        """An engine's heart was heard. True when this makes it ready."""
        engine = self._engines.get(uuid)
        if engine is None or engine.ready or engine.native:
            return False
        engine.ready = True
        return True

    def remove(self, uuid: str) -> Engine | None:
        """Forget an engine, but for its id; None if it was not known."""
        engine = self._engines.pop(uuid, None)
        if engine is not None:
            self._former[uuid] = engine.id
            if len(self._former) > _MAX_FORMER:
                del self._former[next(iter(self._former))]
        return engine

    def id_of(self, uuid: str) -> int | None:
        """The id that an engine has, or had; None if it is not known (any more)."""
        engine = self._engines.get(uuid)
        return self._former.get(uuid) if engine is None else engine.id

    def successor(self, uuid: str) -> str:
        """The uuid of the engine that has the id of this one now, which may be itself; empty if
        there is none.
        """
        engine_id = self.id_of(uuid)
        return next((e.uuid for e in self.ready if e.id == engine_id), "")
