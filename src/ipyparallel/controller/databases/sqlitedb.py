"""Records in a file: SQLite, written in batches, behind the hub's back.

A batch is a transaction in a write-ahead log: a controller that is killed has lost the last batch
at most, and the next one goes on with the file.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterable, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

from traitlets import Float, Integer, Unicode
from traitlets.config import Application

from .base import TaskDatabase
from .culling import PREFIXES, Culled
from .matching import Query, wanted_keys
from .record import FIELDS, CulledRecord, UnknownRecord
from .sqlrows import condition_of, declaration, decoded, encoded
from .users import Users
from .writer import BatchWriter, Change

#: Seconds to wait for another process that writes to the file.
_BUSY = 10.0


class SQLiteDB(TaskDatabase):
    """Records in a SQLite file, which outlives the controller.

    Raises
    ------
    ValueError
        The file cannot be opened, or is no database.
    """

    filename = Unicode("tasks.db", help="The name of the file.").tag(config=True)
    location = Unicode(
        "",
        help="The folder of the file. Default: the profile's folder, or the current one if there"
        " is no profile.",
    ).tag(config=True)
    table = Unicode(
        "ipython-tasks",
        help="The table in the file. Records of earlier runs that are in it can be queried. Empty:"
        " one of its own for this run.",
    ).tag(config=True)
    record_limit = Integer(
        1_000_000, min=0, help="Most records of tasks that have ended; the oldest go first."
    ).tag(config=True)
    size_limit = Integer(
        10 << 30, min=0, help="Most bytes of records of tasks that have ended."
    ).tag(config=True)
    cull_fraction = Float(
        0.1, min=0.0, max=1.0, help="By how much a limit that was exceeded is undercut then."
    ).tag(config=True)

    # until there are some
    _users: Users | None = None
    _reader: sqlite3.Connection = None  # type: ignore[assignment]
    _connection: sqlite3.Connection = None  # type: ignore[assignment]

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if not self.location:
            self.location = _profile_folder()
        if not self.table:
            self.table = "_" + self.session.replace("-", "_")
        self.path = Path(self.location, self.filename)
        try:
            os.close(os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600))
            self._users = Users(self.path)
            self.is_alone = self._users.was_free
            self._reader = self._connect()
            self._connection = self._connect()  # the thread's, from when there is one
            self._make_tables()
            self._culled = self._read_culled()
            self._ended = self._count_ended()
        except (sqlite3.Error, OSError) as e:
            self._disconnect()
            raise ValueError(f"cannot keep records of tasks in {self.path}: {e}") from e
        self._pages_checked = 0
        self._writer = BatchWriter(self._write, str(self.path), self.log)

    def _make_tables(self) -> None:
        with self._connection as c:
            c.execute("PRAGMA journal_mode = WAL")
            self.table = _fitting_table(c, self.table)
            self._name = _quoted(self.table)
            self._culled_name = _quoted(f"{self.table}-culled")
            columns = ", ".join(map(declaration, FIELDS))
            c.execute(f"CREATE TABLE IF NOT EXISTS {self._name} ({columns})")
            for name, indexed in (
                ("history", "submitted, msg_id"),
                ("ended", "completed"),
                ("client", "client_uuid"),
                ("engine", "engine_uuid"),
            ):
                index = _quoted(f"{self.table}-{name}")
                c.execute(f"CREATE INDEX IF NOT EXISTS {index} ON {self._name} ({indexed})")
            c.execute(
                f"CREATE TABLE IF NOT EXISTS {self._culled_name}"
                " (prefix text PRIMARY KEY, number integer, why text)"
            )

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(
            self.path, timeout=_BUSY, check_same_thread=False, isolation_level="IMMEDIATE"
        )
        connection.execute("PRAGMA synchronous = NORMAL")
        return connection

    def close(self) -> None:
        """Write what is to be written, and close the file."""
        self._writer.close()
        self._disconnect()

    def _disconnect(self) -> None:
        if self._users is not None:
            self._users.close()
        for connection in (self._reader, self._connection):
            if connection is not None:
                connection.close()

    # ---- writing

    def add_record(self, msg_id: str, rec: Mapping[str, Any]) -> None:
        """See `TaskDatabase`. What is no field of a record is left out."""
        self._writer.put(msg_id, rec, new=True)

    def update_record(self, msg_id: str, rec: Mapping[str, Any]) -> None:
        """See `TaskDatabase`. An update of what is not there is ignored."""
        self._writer.put(msg_id, rec, new=False)

    def drop_record(self, msg_id: str) -> None:
        """See `TaskDatabase`."""
        if not self._writer.call(lambda: self._delete("msg_id = ?", [msg_id])):
            raise self._missing(msg_id)

    def drop_matching_records(self, query: Mapping[str, Any]) -> None:
        """See `TaskDatabase`."""
        checked = Query(query)
        condition = condition_of(checked)
        if condition.exact:
            self._writer.call(lambda: self._delete(condition.sql, condition.operands))
            return
        found = [record["msg_id"] for record in self._find(checked, ["msg_id"])]
        self._writer.call(lambda: self._delete_each(found))

    # ---- on the writer's thread

    def _delete(self, condition: str, operands: list[str]) -> int:
        with self._connection as c:
            return c.execute(f"DELETE FROM {self._name} WHERE {condition}", operands).rowcount

    def _delete_each(self, msg_ids: list[str]) -> None:
        with self._connection as c:
            c.executemany(f"DELETE FROM {self._name} WHERE msg_id = ?", zip(msg_ids, strict=True))

    def _write(self, changes: list[Change]) -> None:
        with self._connection as c:
            for change in changes:
                try:
                    statement, values = self._statement(change)
                except Exception:
                    self.log.exception("The record of %s cannot be stored", change.msg_id)
                    continue
                c.execute(statement, values)
                self._ended += change.fields.get("completed") is not None
        self._cull()

    def _statement(self, change: Change) -> tuple[str, list[Any]]:
        fields = [field for field in FIELDS if field in change.fields and field != "msg_id"]
        values = [encoded(field, change.fields[field]) for field in fields]
        if change.new:
            for field in ("stdout", "stderr"):
                if field not in change.fields:
                    fields.append(field)
                    values.append("")
            names = ", ".join([*fields, "msg_id"])
            marks = ", ".join("?" * (len(fields) + 1))
            statement = f"INSERT OR REPLACE INTO {self._name} ({names}) VALUES ({marks})"
        else:
            names = ", ".join(f"{field} = ?" for field in fields) or "msg_id = msg_id"
            statement = f"UPDATE {self._name} SET {names} WHERE msg_id = ?"
        return statement, [*values, change.msg_id]

    # ---- reading

    def get_record(self, msg_id: str) -> dict[str, Any]:
        """See `TaskDatabase`."""
        self._writer.flush()
        columns = ", ".join(FIELDS)
        row = self._reader.execute(
            f"SELECT {columns} FROM {self._name} WHERE msg_id = ?", [msg_id]
        ).fetchone()
        if row is None:
            raise self._missing(msg_id)
        return _record(FIELDS, row)

    def find_records(
        self, query: Mapping[str, Any], keys: Iterable[str] | None = None
    ) -> list[dict[str, Any]]:
        """See `TaskDatabase`."""
        return self._find(Query(query), wanted_keys(keys))

    def get_history(self) -> list[str]:
        """See `TaskDatabase`."""
        self._writer.flush()
        rows = self._reader.execute(f"SELECT msg_id FROM {self._name} ORDER BY submitted, rowid")
        return [msg_id for (msg_id,) in rows]

    def _find(self, query: Query, wanted: list[str]) -> list[dict[str, Any]]:
        self._writer.flush()
        tested = list(query.fields)
        columns = ", ".join([*tested, *wanted])
        condition = condition_of(query)
        # With a plus, what is searched for decides which index is used, not what is sorted by.
        order = "submitted, rowid" if condition.sql == "1" else "+submitted, rowid"
        statement = f"SELECT {columns} FROM {self._name} WHERE {condition.sql} ORDER BY {order}"
        n = len(tested)
        with closing(self._reader.execute(statement, condition.operands)) as rows:
            return [
                _record(wanted, row[n:])
                for row in rows
                if condition.exact or query.matches(_record(tested, row[:n]))
            ]

    def _missing(self, msg_id: str) -> UnknownRecord | CulledRecord:
        limit = self._culled.why(msg_id)
        return UnknownRecord(msg_id) if limit is None else CulledRecord(msg_id, limit)

    # ---- room; on the writer's thread

    def _cull(self) -> None:
        """Keep the limits."""
        if self._ended > self.record_limit:
            self._ended = self._count_ended()  # it was a guess
            if self._ended > self.record_limit:
                least = int(self.record_limit * (1 - self.cull_fraction))
                self._cull_oldest(self._ended - least, "record_limit")
                self._ended = least
        pages, page_size = self._pages()
        self._pages_checked = min(self._pages_checked, pages)
        if pages * page_size > self.size_limit and pages > self._pages_checked * 1.02:
            self._cull_bytes()
            self._pages_checked, _ = self._pages()

    def _pages(self) -> tuple[int, int]:
        """How many pages of the file are used, and the bytes of a page."""

        def pragma(name: str) -> int:
            return int(self._connection.execute(f"PRAGMA {name}").fetchone()[0])

        return pragma("page_count") - pragma("freelist_count"), pragma("page_size")

    def _count_ended(self) -> int:
        (count,) = self._connection.execute(
            f"SELECT count(*) FROM {self._name} WHERE completed IS NOT NULL"
        ).fetchone()
        return int(count)

    def _cull_bytes(self) -> None:
        size = " + ".join(f"coalesce(length({field}), 0)" for field in FIELDS)
        ended = f"FROM {self._name} WHERE completed IS NOT NULL"
        (total,) = self._connection.execute(f"SELECT coalesce(sum({size}), 0) {ended}").fetchone()
        if total <= self.size_limit:
            return
        excess = total - self.size_limit * (1 - self.cull_fraction)
        number = 0
        sizes = self._connection.execute(f"SELECT {size} {ended} ORDER BY submitted, rowid")
        with closing(sizes):
            for number, (nbytes,) in enumerate(sizes, 1):  # noqa: B007 - used below
                excess -= nbytes
                if excess <= 0:
                    break
        self._cull_oldest(number, "size_limit")
        self._ended -= number

    def _cull_oldest(self, number: int, limit: str) -> None:
        oldest = self._connection.execute(
            f"SELECT msg_id FROM {self._name} WHERE completed IS NOT NULL"
            " ORDER BY submitted, rowid LIMIT ?",
            [number],
        )
        msg_ids = [msg_id for (msg_id,) in oldest]
        why = f"SQLiteDB.{limit} = {getattr(self, limit):,}"
        known = {row[0]: row for row in (self._culled.add(msg_id, why) for msg_id in msg_ids)}
        with self._connection as c:
            c.executemany(f"DELETE FROM {self._name} WHERE msg_id = ?", zip(msg_ids, strict=True))
            statement = f"INSERT OR REPLACE INTO {self._culled_name} VALUES (?, ?, ?)"
            c.executemany(statement, known.values())

    def _read_culled(self) -> Culled:
        """What is known of records that went in earlier runs, and not more than is remembered."""
        culled = Culled()
        with self._connection as c:
            last = f"SELECT rowid FROM {self._culled_name} ORDER BY rowid DESC LIMIT {PREFIXES}"
            c.execute(f"DELETE FROM {self._culled_name} WHERE rowid NOT IN ({last})")
            for row in c.execute(f"SELECT * FROM {self._culled_name} ORDER BY rowid"):
                culled.remember(*row)
        return culled


def _record(columns: Iterable[str], row: Iterable[Any]) -> dict[str, Any]:
    """A part of a record, from a row with these columns."""
    return {column: decoded(column, value) for column, value in zip(columns, row, strict=True)}


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _fitting_table(connection: sqlite3.Connection, name: str) -> str:
    """The first of `name`, `name`_1, ... that is not there yet or has the right columns."""
    table, number = name, 0
    while True:
        rows = connection.execute(f"PRAGMA table_info({_quoted(table)})").fetchall()
        columns = tuple(row[1] for row in rows)
        if not columns or columns == FIELDS:
            return table
        number += 1
        table = f"{name}_{number}"


def _profile_folder() -> str:
    """The folder of the running application's profile; the current one if there is none."""
    if not Application.initialized():
        return "."
    application = Application.instance()
    # of IPython's applications, and of this package's
    profile = getattr(application, "profile_dir", None)
    return str(getattr(profile, "location", None) or getattr(application, "profile_path", "."))
