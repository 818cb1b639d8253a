"""Writing behind the hub's back: what is to be written is gathered, and written in batches.

A database that takes its time must not take the hub's. Who has a record to write leaves it here,
which takes a microsecond; a thread fetches what has gathered a few times a second and hands it to
the database as a batch. Who wants to read has the thread write first what there is.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any, TypeVar

from .record import copied, size_of

T = TypeVar("T")

#: Seconds for which writes are gathered.
INTERVAL = 0.2
#: Writes, and their bytes, that are not gathered for longer than this; and writes of a batch.
MANY = 5_000
MANY_BYTES = 16 << 20
#: Writes, and their bytes, that may wait; after that, who writes waits.
MOST = 200_000
MOST_BYTES = 256 << 20
#: Seconds after which a batch that could not be written is tried again.
RETRY = 1.0


@dataclass(slots=True)
class Change:
    """What shall become of a record."""

    msg_id: str
    #: It begins with this, whatever there was of it; otherwise it is there and this is set.
    new: bool
    fields: dict[str, Any]


@dataclass(slots=True)
class _Gathered:
    """What waits to be written, and what is to be done after that."""

    writes: list[tuple[str, bool, Mapping[str, Any], int]] = field(default_factory=list)
    nbytes: int = 0
    calls: list[tuple[Callable[[], Any], Future[Any]]] = field(default_factory=list)

    @property
    def urgent(self) -> bool:
        return bool(self.calls) or len(self.writes) >= MANY or self.nbytes >= MANY_BYTES

    @property
    def too_much(self) -> bool:
        return len(self.writes) >= MOST or self.nbytes >= MOST_BYTES

    def add(self, writes: list[tuple[str, bool, Mapping[str, Any], int]]) -> None:
        """Gather more."""
        self.writes += writes
        self.nbytes += sum(size for *_, size in writes)

    def take(self) -> _Gathered:
        """Remove a batch: the first writes; or all that there is, if somebody waits for it."""
        number = len(self.writes) if self.calls else MANY
        batch = _Gathered(calls=self.calls)
        batch.add(self.writes[:number])
        del self.writes[:number]
        self.nbytes -= batch.nbytes
        self.calls = []
        return batch


class BatchWriter:
    """A thread that writes records.

    Parameters
    ----------
    write : callable
        Writes a list of `Change`, each of another record, all of them or none; on the thread.
    name : str
        Of the thread, and of what it writes to, for the log.
    log : logging.Logger
        Told of what could not be written.
    """

    def __init__(
        self, write: Callable[[list[Change]], None], name: str, log: logging.Logger
    ) -> None:
        self._write = write
        self._name = name
        self._log = log
        self._gathered = _Gathered()
        self._changed = threading.Condition()
        self._failing = False
        self._closed = False
        self._thread = threading.Thread(target=self._run, name=f"ipp-{name}", daemon=True)
        self._thread.start()

    def put(self, msg_id: str, rec: Mapping[str, Any], *, new: bool) -> None:
        """Leave a record, or some fields of one, to be written.

        Waits if far too much waits already, unless nothing can be written at the time.
        """
        rec = copied(rec) if isinstance(rec, dict) else rec
        size = size_of(rec)
        with self._changed:
            if self._closed:
                raise RuntimeError(f"{self._name} is closed")
            gathered = self._gathered
            while gathered.too_much and not self._failing and not self._closed:
                self._changed.wait()
            gathered.writes.append((msg_id, new, rec, size))
            gathered.nbytes += size
            if len(gathered.writes) == 1 or gathered.urgent:
                self._changed.notify_all()

    def call(self, function: Callable[[], T]) -> T:
        """Call a function on the thread once all is written that was put here before.

        Raises what the function raises, or what hinders the thread in writing.
        """
        future: Future[T] = Future()
        with self._changed:
            if self._closed:
                raise RuntimeError(f"{self._name} is closed")
            self._gathered.calls.append((function, future))
            self._changed.notify_all()
        return future.result()

    def flush(self) -> None:
        """Wait until all is written that was put here before."""
        self.call(lambda: None)

    def close(self) -> None:
        """Write what there is, and end the thread."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        self._thread.join()

    # ---- on the thread

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(self._something)
                self._changed.wait_for(self._hurry, RETRY if self._failing else INTERVAL)
                batch = self._gathered.take()
                closed = self._closed and not self._gathered.writes
                self._changed.notify_all()  # there is room again
            self._handle(batch)
            if closed:
                break

    def _something(self) -> bool:
        return self._closed or bool(self._gathered.writes or self._gathered.calls)

    def _hurry(self) -> bool:
        if self._closed or self._gathered.calls:
            return True
        return self._gathered.urgent and not self._failing

    def _handle(self, batch: _Gathered) -> None:
        error = self._try_to_write(batch)
        for function, future in batch.calls:
            if error is not None:
                future.set_exception(error)
                continue
            try:
                future.set_result(function())
            except Exception as e:  # noqa: BLE001 - it is the caller's
                future.set_exception(e)

    def _try_to_write(self, batch: _Gathered) -> Exception | None:
        try:
            if batch.writes:
                self._write(merged(batch, self._log))
        except Exception as e:  # noqa: BLE001 - told to those who wait, too
            if not self._failing:
                self._log.exception("%s: records of tasks cannot be written", self._name)
            self._keep(batch)
            return e
        if self._failing:
            self._log.warning("%s: records of tasks are written again", self._name)
        self._failing = False
        return None

    def _keep(self, batch: _Gathered) -> None:
        """What could not be written waits in front of the rest, or goes if it is too much."""
        with self._changed:
            self._failing = True
            if self._closed or self._gathered.too_much or batch.too_much:
                self._log.error("%s: %d writes of records are lost", self._name, len(batch.writes))
            else:
                self._gathered.writes[:0] = batch.writes
                self._gathered.nbytes += batch.nbytes
            self._changed.notify_all()


def merged(batch: _Gathered, log: logging.Logger) -> list[Change]:
    """The writes of a batch as one change a record, in the order in which records came.

    A record that cannot be read is left out, and told.
    """
    changes: dict[str, Change] = {}
    for msg_id, new, rec, _ in batch.writes:
        try:
            fields = dict(rec)
        except Exception:
            log.exception("The record of %s cannot be read, and is not kept", msg_id)
            continue
        if new:
            changes.pop(msg_id, None)
            changes[msg_id] = Change(msg_id, True, fields)
        elif msg_id in changes:
            changes[msg_id].fields.update(fields)
        else:
            changes[msg_id] = Change(msg_id, False, fields)
    return list(changes.values())
