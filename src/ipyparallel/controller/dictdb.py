"""The old import path of the databases that need no file."""

from .databases.base import TaskDatabase as BaseDB
from .databases.dictdb import DictDB
from .databases.matching import CompositeFilter, filters
from .databases.nodb import NoDB
from .databases.record import NoData

__all__ = ["BaseDB", "CompositeFilter", "DictDB", "NoDB", "NoData", "filters"]
