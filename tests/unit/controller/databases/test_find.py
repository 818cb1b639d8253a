"""Databases by name."""

import pytest

import ipyparallel.controller.dictdb
import ipyparallel.controller.mongodb
import ipyparallel.controller.sqlitedb
from ipyparallel.controller.databases.base import NoData, TaskDatabase
from ipyparallel.controller.databases.find import find_database_class
from ipyparallel.controller.databases.nodb import NoDB


class Mine(TaskDatabase):
    pass


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("dictdb", ipyparallel.controller.dictdb.DictDB),
        ("DictDB", ipyparallel.controller.dictdb.DictDB),
        ("NODB", ipyparallel.controller.dictdb.NoDB),
        ("SQLiteDB", ipyparallel.controller.sqlitedb.SQLiteDB),
        ("mongodb", ipyparallel.controller.mongodb.MongoDB),
        ("ipyparallel.controller.dictdb.DictDB", ipyparallel.controller.dictdb.DictDB),
        ("ipyparallel.controller.sqlitedb.SQLiteDB", ipyparallel.controller.sqlitedb.SQLiteDB),
        (Mine, Mine),
    ],
)
def test_databases_have_names(name, expected):
    assert find_database_class(name) is expected


@pytest.mark.parametrize("name", ["oracle", "", "nowhere.there.DB", "ipyparallel.controller.no.DB"])
def test_a_name_of_nothing_is_refused(name):
    with pytest.raises(ValueError, match="known are dictdb, nodb, sqlitedb, mongodb, and paths"):
        find_database_class(name)


@pytest.mark.parametrize("name", ["collections.OrderedDict", int, 3])
def test_a_name_of_something_else_is_refused(name):
    with pytest.raises(TypeError, match="is not a class of databases"):
        find_database_class(name)


def test_nothing_is_kept_without_a_database():
    database = NoDB()
    database.add_record("a_1", {})
    database.update_record("a_1", {})
    database.fetched(["a_1"])
    database.drop_record("a_1")
    database.drop_matching_records({})
    for ask in (
        lambda: database.get_record("a_1"),
        lambda: database.find_records({}),
        database.get_history,
    ):
        with pytest.raises(NoData, match="keeps no records of tasks"):
            ask()
    database.close()
    assert issubclass(NoData, KeyError)
