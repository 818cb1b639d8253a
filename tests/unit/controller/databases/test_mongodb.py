"""The database in MongoDB, where it differs; what can be said without a server."""

import sys
from datetime import UTC, datetime

import pytest

from ipyparallel.controller.databases.matching import Query
from ipyparallel.controller.databases.mongodb import MongoDB, narrowed

NOW = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)


def test_without_pymongo_it_is_told_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "pymongo", None)
    with pytest.raises(ValueError, match=r"pip install 'ipyparallel\[mongodb\]'"):
        MongoDB()


def test_a_server_that_is_not_there_is_told():
    pytest.importorskip("pymongo")
    kwargs = {"host": "127.0.0.1", "port": 1, "serverSelectionTimeoutMS": 50}
    with pytest.raises(ValueError, match=r"cannot keep records of tasks in MongoDB: .*127"):
        MongoDB(connection_kwargs=kwargs)


@pytest.mark.parametrize(
    ("query", "asked"),
    [
        ({}, {}),
        ({"msg_id": "a"}, {"$and": [{"msg_id": {"$eq": "a"}}]}),
        ({"label": {"$glob": "a.b*"}}, {"$and": [{"label": {"$regex": r"^a\.b"}}]}),
        ({"submitted": {"$le": NOW}}, {"$and": [{"submitted": {"$lte": NOW}}]}),
        ({"completed": {"$exists": True}}, {"$and": [{"completed": {"$ne": None}}]}),
        # what MongoDB means in another way stays here
        ({"label": {"$lt": 3}, "error": {"$mod": [2, 1]}, "queue": {"$ne": "x"}}, {}),
    ],
    ids=str,
)
def test_the_server_is_asked_for_what_it_knows(query, asked):
    assert narrowed(Query(query)) == asked


@pytest.mark.parametrize("database", ["MongoDB"], indirect=True)
def test_dates_have_milliseconds(database):
    database.add_record("a_1", {"completed": NOW})
    assert database.get_record("a_1")["completed"] == NOW.replace(microsecond=678000)
    for query in (NOW, {"$lte": NOW}, {"$in": [NOW]}):
        assert len(database.find_records({"completed": query})) == 1


@pytest.mark.parametrize("database", ["MongoDB"], indirect=True)
def test_buffers_for_which_there_is_no_room_are_left_out(database, caplog):
    database.add_record("a_1", {"label": "x", "buffers": [bytes(17 << 20)]})
    record = database.get_record("a_1")
    assert (record["label"], record["buffers"]) == ("x", None)
    assert "does not fit into MongoDB" in caplog.text
