"""What a database of task records does, whatever it keeps them in."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Mapping
from typing import Any

from traitlets import Unicode
from traitlets.config import LoggingConfigurable

from .record import FIELDS, CulledRecord, NoData, RecordError, UnknownRecord, empty_record

__all__ = [
    "FIELDS",
    "CulledRecord",
    "NoData",
    "RecordError",
    "TaskDatabase",
    "UnknownRecord",
    "empty_record",
]


class TaskDatabase(LoggingConfigurable):
    """Records of tasks, by message id.

    A record is *pending* until its `completed` is not None, and ended from then on. Those who
    write records do so on the hub's loop, for each task: a database takes what it is given and
    sees later what to do with it.

    What is written is any mapping of some of `FIELDS`. A dict is copied. Any other mapping is
    taken to be immutable, to decode its fields when they are asked for, and to say in `nbytes`
    how much memory it holds; in `has_ended` it may say whether its `completed` is not None, so
    that this need not be decoded. It is kept as it is for as long as the database can. Dates have a
    time zone.

    What is read are dicts of the reader's own, with all of `FIELDS`.
    """

    session = Unicode("", help="The id of the hub's session.")

    #: Whether what is pending when this is opened is of controllers that have ended: no other has
    #: its records in the same place.
    is_alone = True

    @abstractmethod
    def add_record(self, msg_id: str, rec: Mapping[str, Any]) -> None:
        """Begin the record of a task; one of that id that was there is replaced."""

    @abstractmethod
    def update_record(self, msg_id: str, rec: Mapping[str, Any]) -> None:
        """Set some fields of a record.

        Raises
        ------
        KeyError
            There is no such record. A database that writes later ignores the update instead.
        """

    @abstractmethod
    def get_record(self, msg_id: str) -> dict[str, Any]:
        """All that is known of a task.

        Raises
        ------
        UnknownRecord, CulledRecord
            Both are KeyErrors.
        """

    @abstractmethod
    def drop_record(self, msg_id: str) -> None:
        """Forget a task, pending or not.

        Raises
        ------
        UnknownRecord, CulledRecord
            It is not there.
        """

    @abstractmethod
    def drop_matching_records(self, query: Mapping[str, Any]) -> None:
        """Forget the tasks that a query finds, pending or not."""

    @abstractmethod
    def find_records(
        self, query: Mapping[str, Any], keys: Iterable[str] | None = None
    ) -> list[dict[str, Any]]:
        """Records that match, the first submitted first.

        Parameters
        ----------
        query : mapping
            See `matching`. An empty one finds all.
        keys : iterable of str, optional
            Fields to return, besides `msg_id`. Default: all but `buffers` and `result_buffers`.

        Raises
        ------
        InvalidQuery
            An unknown field or operator, or a condition that makes no sense; a KeyError.
        """

    @abstractmethod
    def get_history(self) -> list[str]:
        """The ids of all records, the first submitted first."""

    def fetched(self, msg_ids: Iterable[str]) -> None:
        """The results of these tasks have reached who asked for them; unknown ids are ignored."""

    def close(self) -> None:
        """Write what is to be written, and let go of files and connections."""
