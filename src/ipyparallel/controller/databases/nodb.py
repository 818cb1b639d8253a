"""No database: nothing is kept of a task that has ended."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NoReturn

from .base import TaskDatabase
from .record import NoData


class NoDB(TaskDatabase):
    """Keeps nothing, and says so to everyone who asks."""

    def add_record(self, msg_id: str, rec: Mapping[str, Any]) -> None:
        """Nothing."""

    def update_record(self, msg_id: str, rec: Mapping[str, Any]) -> None:
        """Nothing."""

    def drop_record(self, msg_id: str) -> None:
        """Nothing."""

    def drop_matching_records(self, query: Mapping[str, Any]) -> None:
        """Nothing."""

    def get_record(self, msg_id: str) -> NoReturn:
        """Raise `NoData`."""
        raise NoData

    def find_records(self, query: Mapping[str, Any], keys: Iterable[str] | None = None) -> NoReturn:
        """Raise `NoData`."""
        raise NoData

    def get_history(self) -> NoReturn:
        """Raise `NoData`."""
        raise NoData
