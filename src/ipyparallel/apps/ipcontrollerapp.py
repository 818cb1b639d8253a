"""The old import path of ``ipcontroller``."""

from ..controller.app import IPController, main
from ._deprecated import moved

moved(__name__, "ipyparallel.controller.app")

IPControllerApp = IPController
launch_new_instance = main

__all__ = ["IPController", "IPControllerApp", "launch_new_instance", "main"]
