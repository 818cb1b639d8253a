"""The old import path of the database in MongoDB."""

from .databases.mongodb import MongoDB

__all__ = ["MongoDB"]
