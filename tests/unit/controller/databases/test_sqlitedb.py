"""The database in a file: what is in the file, and what becomes of it."""

import pickle
import signal
import sqlite3
import stat
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta, timezone

import pytest
from traitlets.config import Application

from ipyparallel.controller.databases.base import FIELDS, CulledRecord, UnknownRecord, empty_record
from ipyparallel.controller.databases.sqlitedb import SQLiteDB

NOW = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)


@pytest.fixture
def opened(tmp_path):
    """Opens databases in one folder."""
    databases = []

    def open_database(**kwargs):
        database = SQLiteDB(**{"location": str(tmp_path), **kwargs})
        databases.append(database)
        return database

    yield open_database
    for database in databases:
        database.close()


def file_rows(folder, statement, name="tasks.db"):
    """What another program reads in the file."""
    connection = sqlite3.connect(folder / name)
    try:
        return connection.execute(statement).fetchall()
    finally:
        connection.close()


def end(database, msg_id, seconds=0, **fields):
    """The record of a task that has ended."""
    date = NOW + timedelta(seconds=seconds)
    database.add_record(msg_id, {"submitted": date, "completed": date, **fields})


def test_the_columns_are_those_that_others_read(opened, tmp_path):
    database = opened()
    fields = {
        "header": {"date": NOW, "n": 1},
        "buffers": [b"abc", memoryview(b"def")],
        "submitted": NOW.astimezone(timezone(timedelta(hours=5))),
        "queue": "task",
    }
    database.add_record("a_1", fields)
    database.close()
    info = file_rows(tmp_path, 'PRAGMA table_info("ipython-tasks")')
    assert tuple(row[1] for row in info) == FIELDS
    assert {row[2].lower() for row in info} == {"text", "dict text", "bufs blob", "timestamp"}
    [row] = file_rows(tmp_path, 'SELECT * FROM "ipython-tasks"')
    stored = dict(zip(FIELDS, row, strict=True))
    assert stored["header"] == '{"date":"2026-01-02T03:04:05.678901Z","n":1}'
    assert pickle.loads(stored["buffers"]) == [b"abc", b"def"]
    assert stored["submitted"] == "2026-01-02T03:04:05.678901+00:00"
    assert (stored["queue"], stored["stdout"], stored["completed"]) == ("task", "", None)


def test_what_others_wrote_is_read(opened, tmp_path):
    opened().close()
    connection = sqlite3.connect(tmp_path / "tasks.db")
    with connection:
        for number, date in enumerate(
            ["2026-01-02T03:04:05+00:00", "2026-01-02T03:04:05.500000+00:00"]
        ):
            connection.execute(
                'INSERT INTO "ipython-tasks" (msg_id, submitted, header, buffers, execute_result)'
                " VALUES (?, ?, ?, ?, ?)",
                [
                    f"a_{number}",
                    date,
                    '{"date": "2026-01-02T03:04:05Z"}',
                    pickle.dumps([b"x"]),
                    "t",
                ],
            )
    connection.close()
    database = opened()
    date = NOW.replace(microsecond=0)
    record = database.get_record("a_0")
    assert record["submitted"] == record["header"]["date"] == date
    assert record["buffers"] == [b"x"]
    assert record["execute_result"] == "t"
    for query in (date, {"$lte": date}, {"$lt": date + timedelta(0, 0.1)}):
        found = database.find_records({"submitted": query})
        assert [record["msg_id"] for record in found] == ["a_0"]
    assert database.get_history() == ["a_0", "a_1"]


def test_buffers_that_are_more_than_bytes_are_not_opened(opened, tmp_path):
    opened().close()
    connection = sqlite3.connect(tmp_path / "tasks.db")
    with connection:
        connection.execute(
            'INSERT INTO "ipython-tasks" (msg_id, buffers) VALUES (?, ?)',
            ["a_1", pickle.dumps([subprocess.Popen])],
        )
    connection.close()
    with pytest.raises(pickle.UnpicklingError, match=r"subprocess\.Popen"):
        opened().get_record("a_1")


def test_display_data_has_no_column(opened):
    database = opened()
    database.add_record("a_1", {"display_data": {"data": {}}, "label": "x"})
    database.update_record("a_1", {"display_data": {"data": {}}})
    assert database.get_record("a_1") == {**empty_record(), "msg_id": "a_1", "label": "x"}


def test_the_next_run_goes_on_with_the_file(opened, tmp_path):
    first = opened()
    first.add_record("a_1", {"submitted": NOW})
    first.close()
    second = opened()
    assert second.get_record("a_1")["submitted"] == NOW
    second.update_record("a_1", {"completed": NOW})
    second.add_record("b_1", {"submitted": NOW + timedelta(1)})
    second.close()
    third = opened()
    assert third.get_history() == ["a_1", "b_1"]
    assert [r["msg_id"] for r in third.find_records({"completed": None})] == ["b_1"]
    assert third.table == "ipython-tasks"


def test_a_table_of_other_columns_is_left_alone(opened, tmp_path):
    connection = sqlite3.connect(tmp_path / "tasks.db")
    with connection:
        connection.execute('CREATE TABLE "ipython-tasks" (msg_id text, mine text)')
        connection.execute('CREATE TABLE "ipython-tasks_1" (other text)')
    connection.close()
    database = opened()
    assert database.table == "ipython-tasks_2"
    database.add_record("a_1", {})
    database.close()
    assert opened().get_history() == ["a_1"]
    assert file_rows(tmp_path, 'SELECT count(*) FROM "ipython-tasks"') == [(0,)]


def test_a_run_may_have_a_table_of_its_own(opened):
    first = opened(table="", session="ab-cd")
    assert first.table == "_ab_cd"
    first.add_record("a_1", {})
    first.close()
    assert opened(table="", session="other").get_history() == []
    assert opened(table="_ab_cd").get_history() == ["a_1"]


def test_odd_names_are_only_names(opened, tmp_path):
    database = opened(table="a\"b'; --", filename="od'd na\"me.db")
    database.add_record("a_1", {})
    assert database.get_history() == ["a_1"]
    assert (tmp_path / "od'd na\"me.db").exists()


def test_the_file_is_for_its_owner(opened, tmp_path):
    database = opened()
    database.add_record("a_1", {})
    database.get_history()
    for path in tmp_path.glob("tasks.db*"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_the_file_is_written_ahead_in_a_log(opened, tmp_path):
    opened().add_record("a_1", {})
    assert file_rows(tmp_path, "PRAGMA journal_mode") == [("wal",)]


@pytest.mark.parametrize("location", ["nowhere/there", "."])
def test_a_file_that_cannot_be_opened_is_told(tmp_path, location):
    (tmp_path / "tasks.db").write_bytes(b"no database" * 1000)
    with pytest.raises(ValueError, match=r"cannot keep records of tasks in .*tasks\.db: "):
        SQLiteDB(location=str(tmp_path / location))


def test_the_file_is_in_the_folder_of_the_profile(tmp_path, monkeypatch):
    class Profile:
        location = str(tmp_path / "profile")

    (tmp_path / "profile").mkdir()
    monkeypatch.chdir(tmp_path)
    Application.clear_instance()
    SQLiteDB().close()
    application = Application.instance()
    (tmp_path / "ours").mkdir()
    try:
        application.profile_path = tmp_path / "ours"  # as this package's applications have it
        SQLiteDB().close()
        application.profile_dir = Profile()  # as IPython's have it
        SQLiteDB().close()
    finally:
        Application.clear_instance()
    for folder in ("", "ours", "profile"):
        assert (tmp_path / folder / "tasks.db").exists()


def test_dates_have_microseconds_and_a_zone(opened):
    database = opened()
    end(database, "a_1")
    database.add_record("a_2", {"submitted": datetime(2026, 1, 2, 3)})  # local
    assert database.get_record("a_1")["completed"] == NOW
    assert database.get_record("a_2")["submitted"] == datetime(2026, 1, 2, 3).astimezone()
    microsecond = timedelta(0, 0, 1)
    for query, expected in (
        (NOW, 1),
        (NOW + microsecond, 0),
        ({"$gt": NOW}, 0),
        ({"$gt": NOW - microsecond, "$lt": NOW + microsecond}, 1),
    ):
        assert len(database.find_records({"completed": query})) == expected


@pytest.mark.parametrize(
    ("query", "plan"),
    [
        ({"msg_id": "a"}, "sqlite_autoindex"),
        ({"msg_id": {"$in": ["a", "b"]}}, "sqlite_autoindex"),
        ({"msg_id": {"$glob": "session_*"}}, "sqlite_autoindex"),
        ({"client_uuid": "a"}, "ipython-tasks-client"),
        ({"engine_uuid": "a", "label": {"$mod": [2, 1]}}, "ipython-tasks-engine"),
        ({"completed": None}, "ipython-tasks-ended"),
        ({"completed": {"$gt": NOW}}, "ipython-tasks-ended"),
    ],
    ids=str,
)
def test_the_file_is_searched_by_an_index(opened, query, plan):
    database = opened()
    statements = []
    database._reader.set_trace_callback(statements.append)
    database.find_records(query, [])
    [statement] = [text for text in statements if text.startswith("SELECT")]
    steps = database._reader.execute("EXPLAIN QUERY PLAN " + statement).fetchall()
    assert any("SEARCH" in step[3] and plan in step[3] for step in steps), steps


def test_old_records_make_room(opened):
    database = opened(record_limit=20)
    database.add_record("s_0", {"submitted": NOW - timedelta(1)})
    for n in range(1, 100):
        end(database, f"s_{n}", n)
        if n % 10 == 0:
            database.get_history()
    history = database.get_history()
    assert history[0] == "s_0"  # it is pending
    assert 18 <= len(history[1:]) <= 20
    assert history[-1] == "s_99"
    database.close()
    again = opened()
    for reader in (again, opened()):
        with pytest.raises(
            CulledRecord, match=r"'s_1' has been culled.*SQLiteDB\.record_limit = 20"
        ):
            reader.get_record("s_1")
        with pytest.raises(UnknownRecord):
            reader.get_record("s_100")


def test_bytes_are_bounded(opened):
    database = opened(size_limit=1_000_000)
    database.add_record("p_0", {"submitted": NOW - timedelta(1), "buffers": [bytes(3_000_000)]})
    for n in range(60):
        end(database, f"s_{n}", n, result_buffers=[bytes(50_000)])
        database.get_history()
    history = database.get_history()
    assert history[0] == "p_0"
    assert history[-1] == "s_59"
    # it is looked at whenever the file has grown by some
    assert 15 <= len(history[1:]) <= 25
    with pytest.raises(CulledRecord, match=r"SQLiteDB\.size_limit = 1,000,000"):
        database.get_record("s_0")


def test_a_record_that_cannot_be_stored_hinders_no_other(opened, caplog):
    database = opened()
    database.add_record("a_1", {"buffers": 3})
    database.add_record("a_2", {"label": "x"})
    assert database.get_history() == ["a_2"]
    assert "The record of a_1 cannot be stored" in caplog.text


def test_another_program_may_write_meanwhile(opened, tmp_path):
    database = opened()
    other = sqlite3.connect(tmp_path / "tasks.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    other.execute("INSERT INTO \"ipython-tasks\" (msg_id) VALUES ('x_1')")
    database.add_record("a_1", {})
    other.execute("COMMIT")
    other.close()
    assert sorted(database.get_history()) == ["a_1", "x_1"]


UNREAD = """
import sys
from ipyparallel.controller.databases.sqlitedb import SQLiteDB

database = SQLiteDB(location=sys.argv[1])
database.add_record("s_1", {"label": "kept"})
sys.stdin.read()
"""


def test_what_nobody_reads_is_written_soon_and_outlives_the_controller(opened, tmp_path):
    with subprocess.Popen(
        [sys.executable, "-c", UNREAD, str(tmp_path)], stdin=subprocess.PIPE
    ) as child:
        reader = opened()
        deadline = time.monotonic() + 60
        while not reader.get_history() and time.monotonic() < deadline:
            time.sleep(0.01)  # between looks
        child.kill()
    assert child.returncode == -signal.SIGKILL
    assert reader.get_record("s_1")["label"] == "kept"


KILLED = """
import sys
import time
from datetime import UTC, datetime
from ipyparallel.controller.databases.sqlitedb import SQLiteDB

database = SQLiteDB(location=sys.argv[1])
n = 0
while True:
    now = datetime.now(UTC)
    database.add_record(f"s_{n}", {"submitted": now, "buffers": [bytes(1000)]})
    database.update_record(f"s_{n}", {"completed": now, "result_buffers": [bytes(1000)]})
    n += 1
    if n % 500 == 0:
        print(n, len(database.get_history()), flush=True)
"""


def test_a_controller_that_is_killed_loses_the_last_batch_at_most(opened, tmp_path):
    with subprocess.Popen(
        [sys.executable, "-c", KILLED, str(tmp_path)], stdout=subprocess.PIPE, text=True
    ) as child:
        told = [child.stdout.readline() for _ in range(4)]
        child.kill()
    assert child.returncode == -signal.SIGKILL
    added, seen = map(int, told[-1].split())
    assert added == seen == 2000
    assert file_rows(tmp_path, "PRAGMA integrity_check") == [("ok",)]
    database = opened()
    history = database.get_history()
    # all that was written before somebody looked, and no gap in what came after
    assert len(history) >= seen
    assert history == [f"s_{n}" for n in range(len(history))]
    record = database.get_record(history[0])
    assert record["result_buffers"] == [bytes(1000)]
    database.add_record("after_1", {"submitted": NOW + timedelta(36500)})
    assert database.get_history()[-1] == "after_1"


def test_who_shares_a_file_is_not_alone(opened):
    first = opened()
    assert first.is_alone
    second, third = opened(), opened()
    assert not second.is_alone
    assert not third.is_alone
    end(second, "a_1")
    second.get_history()  # after that it is written
    assert first.get_record("a_1")["completed"] == NOW
    for database in (first, third):
        database.close()
    assert not opened().is_alone  # the second is still there


def test_who_comes_when_all_others_have_left_is_alone(opened):
    opened().close()
    assert opened().is_alone
