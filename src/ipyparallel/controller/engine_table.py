"""The table of engines on disk: whom a controller that was started again may expect back.

``log/engines<cluster_id>.json``::

    {"engines": {"0": "<uuid>", ...}, "next_id": 1, "native": ["<uuid>", ...]}

It is only a help: a controller starts without it, or with one that makes no sense, as well.
"""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import msgspec

from ..protocol.connection import write_private
from .registry import Registry


class EngineTable(msgspec.Struct):
    """What the file holds."""

    #: Uuids, by id.
    engines: dict[str, str] = {}
    #: The first id that was never given.
    next_id: int = 0
    #: Uuids of those that can come back by themselves: engines of this package.
    native: list[str] = []

    def ids(self) -> dict[str, int]:
        """Ids, by uuid."""
        return {uuid: int(engine_id) for engine_id, uuid in self.engines.items()}


class EngineTableFile:
    """Keeps the file.

    Parameters
    ----------
    path : Path
        Of the file; its folder is there.
    """

    def __init__(self, path: Path, log: logging.Logger) -> None:
        self.path = path
        self._log = log

    def read(self) -> EngineTable:
        """What an earlier controller has left; empty if there is nothing, or no sense in it."""
        try:
            table = msgspec.json.decode(self.path.read_bytes(), type=EngineTable)
            table.ids()
        except FileNotFoundError:
            return EngineTable()
        except (OSError, ValueError, RecursionError) as e:
            self._log.warning("The engine table %s is of no use, and ignored: %s", self.path, e)
            return EngineTable()
        return table

    def write(self, registry: Registry) -> None:
        """Write down who is there; readers see the old file or the new one."""
        engines = registry.ready
        content: dict[str, Any] = {
            "engines": {str(engine.id): engine.uuid for engine in engines},
            "next_id": registry.next_id,
            "native": [engine.uuid for engine in engines if engine.native],
        }
        try:
            write_private(self.path, json.dumps(content) + "\n")
        except OSError as e:
            self._log.warning("Cannot write the engine table %s: %s", self.path, e)

    def remove(self) -> None:
        """Nobody is to come back."""
        self.path.unlink(missing_ok=True)
