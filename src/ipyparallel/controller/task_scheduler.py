"""The old import path of the settings of the task scheduler."""

from .settings import TaskScheduler

__all__ = ["TaskScheduler"]
