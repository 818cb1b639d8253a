"""Each database, for the tests that hold for all of them."""

import os
import uuid

import pytest

from ipyparallel.controller.databases.dictdb import DictDB
from ipyparallel.controller.databases.mongodb import MongoDB
from ipyparallel.controller.databases.sqlitedb import SQLiteDB

#: The URL of a MongoDB server in which the tests may make databases of their own.
MONGODB = "IPP_MONGODB"


def make_dictdb(folder, **kwargs):
    kwargs.setdefault("record_limit", 100_000)
    return DictDB(**kwargs)


def make_sqlitedb(folder, **kwargs):
    return SQLiteDB(location=str(folder), **kwargs)


def make_mongodb(folder, **kwargs):
    url = os.environ.get(MONGODB)
    if not url:
        pytest.skip(f"needs a MongoDB server: set {MONGODB} to its URL, mongodb://host:port")
    return MongoDB(connection_args=[url], database=f"ipp-tests-{uuid.uuid4().hex[:12]}", **kwargs)


MAKERS = {"DictDB": make_dictdb, "SQLiteDB": make_sqlitedb, "MongoDB": make_mongodb}


@pytest.fixture(params=MAKERS)
def database(request, tmp_path):
    """A database that keeps records."""
    database = MAKERS[request.param](tmp_path)
    yield database
    if isinstance(database, MongoDB):
        database._client.drop_database(database.database)
    database.close()
