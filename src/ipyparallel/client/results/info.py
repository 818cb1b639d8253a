"""What is known about the tasks behind a result, besides what they return."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from ...protocol.session import parse_date
from ..messaging.metadata import Metadata
from ..messaging.resolving import SafeFuture
from ..messaging.tasks import MessageFuture


class TaskInfo(SafeFuture):
    """The part of `AsyncResult` that tells about its tasks: metadata, progress, and times."""

    _children: list[MessageFuture]
    _single: bool
    _chunk_sizes: Sequence[int] | None

    # ---- metadata

    @property
    def msg_ids(self) -> list[str]:
        """The ids of the messages behind this."""
        return [child.msg_id for child in self._children]

    @property
    def metadata(self) -> Metadata | list[Metadata]:
        """What is known about the task, or the list of that for several."""
        if self._single:
            return self._children[0].metadata
        return [child.metadata for child in self._children]

    def _metadata_item(self, key: str) -> Any:
        if self._single:
            return self._children[0].metadata[key]
        if not self._children:
            Metadata()[key]  # an unknown name is an error for none, too
        return [child.metadata[key] for child in self._children]

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        try:
            return self._metadata_item(name)
        except KeyError:
            raise AttributeError(
                f"{type(self).__name__!r} object has no attribute {name!r}"
            ) from None

    def __dir__(self) -> list[str]:
        return sorted({*super().__dir__(), *Metadata()})

    # ---- items

    def __len__(self) -> int:
        return sum(self._sizes())

    def _sizes(self) -> Sequence[int]:
        """How many items each task stands for."""
        return [1] * len(self._children) if self._chunk_sizes is None else self._chunk_sizes

    @property
    def progress(self) -> int:
        """How many items are there so far."""
        sizes = zip(self._sizes(), self._children, strict=True)
        return sum(size for size, child in sizes if child.done())

    # ---- times

    @property
    def elapsed(self) -> float:
        """Seconds since the first task was submitted; when all have ended, `wall_time`.

        Of tasks that another client has submitted, it is not known until they have ended.
        """
        if self.done():
            return self.wall_time
        dates = [child.header.date for child in self._children if child.header.date]
        first = min((parse_date(date).timestamp() for date in dates), default=None)
        return 0.0 if first is None else time.time() - first

    @property
    def wall_time(self) -> float:
        """Seconds from the first submission to the last result.

        Raises
        ------
        TimeoutError
            Not all results are there.
        """
        return self.timedelta(self._times("submitted"), self._times("received"))

    @property
    def serial_time(self) -> float:
        """Seconds that the engines spent on the tasks, added up.

        Raises
        ------
        TimeoutError
            Not all results are there.
        """
        return sum(
            (ended - begun).total_seconds()
            for begun, ended in zip(self._times("started"), self._times("completed"), strict=True)
            if begun is not None and ended is not None
        )

    def _times(self, key: str) -> list[datetime]:
        if not self.done():
            raise TimeoutError("Result not ready.")
        return [child.metadata[key] for child in self._children]

    def timedelta(
        self,
        start: Any,
        end: Any,
        start_key: Callable[[Any], datetime] = min,
        end_key: Callable[[Any], datetime] = max,
    ) -> float:
        """Seconds between two moments, or two collections of them.

        Parameters
        ----------
        start, end : datetime, list of datetime, or AsyncResult
            For a result, when it was submitted, and when it was received.
        start_key, end_key : callable
            Choose one of several; by default the earliest start and the latest end.
        """
        start = _moment(start, "submitted", start_key)
        end = _moment(end, "received", end_key)
        return float((end - start).total_seconds()) if start and end else 0.0


def _moment(moments: Any, key: str, choose: Callable[[Any], datetime]) -> datetime | None:
    if isinstance(moments, TaskInfo):
        moments = moments._times(key)
    if isinstance(moments, datetime):
        return moments
    known = [moment for moment in moments if moment is not None]
    return choose(known) if known else None
