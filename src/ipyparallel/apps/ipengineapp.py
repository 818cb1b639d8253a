"""The old import path of ``ipengine``."""

from ..engine.app import IPEngine, main
from ._deprecated import moved

moved(__name__, "ipyparallel.engine.app")

IPEngineApp = IPEngine
launch_new_instance = main

__all__ = ["IPEngine", "IPEngineApp", "launch_new_instance", "main"]
