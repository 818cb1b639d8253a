"""The old import path of the launchers."""

from ..cluster.launcher import *  # noqa: F403
from ._deprecated import moved

moved(__name__, "ipyparallel.cluster.launcher")
