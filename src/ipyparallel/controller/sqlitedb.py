"""The old import path of the database in a file."""

from .databases.sqlitedb import SQLiteDB
from .databases.sqlrows import null_operators, operators

__all__ = ["SQLiteDB", "null_operators", "operators"]
