"""The old import path of the settings of the heart monitor."""

from .settings import HeartMonitor

__all__ = ["HeartMonitor"]
