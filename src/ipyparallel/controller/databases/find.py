"""Databases by name."""

from __future__ import annotations

from typing import Any

from traitlets.utils.importstring import import_item

from .base import TaskDatabase

#: Short names, as in ``--sqlitedb``. The classes are imported only where they are used.
NAMES = {
    "dictdb": "ipyparallel.controller.databases.dictdb.DictDB",
    "nodb": "ipyparallel.controller.databases.nodb.NoDB",
    "sqlitedb": "ipyparallel.controller.databases.sqlitedb.SQLiteDB",
    "mongodb": "ipyparallel.controller.databases.mongodb.MongoDB",
}


def find_database_class(name: str | type[TaskDatabase]) -> type[TaskDatabase]:
    """The class of databases that a name stands for.

    Parameters
    ----------
    name : str or class
        ``dictdb``, ``nodb``, ``sqlitedb`` or ``mongodb``, in any case; where to import a class
        from, such as ``package.module.Class``; or a class.

    Raises
    ------
    ValueError
        The name stands for nothing; the text lists the short names.
    TypeError
        It stands for something that is not such a class.
    """
    found: Any = name
    if isinstance(name, str):
        path = NAMES.get(name.lower(), name)
        if "." not in path:
            raise ValueError(f"there is no database {name!r}; {_known()}")
        try:
            found = import_item(path)
        except ImportError as e:
            raise ValueError(f"the database {name!r} cannot be imported: {e}; {_known()}") from e
    if not (isinstance(found, type) and issubclass(found, TaskDatabase)):
        raise TypeError(f"{name!r} is not a class of databases of tasks (a TaskDatabase)")
    return found


def _known() -> str:
    return f"known are {', '.join(NAMES)}, and paths such as package.module.Class"
