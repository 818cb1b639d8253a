"""The old import path of ``ipcluster``."""

from ..cluster.app import IPCluster, IPClusterStart, main
from ._deprecated import moved

moved(__name__, "ipyparallel.cluster.app")

IPClusterApp = IPCluster
launch_new_instance = main

__all__ = ["IPCluster", "IPClusterApp", "IPClusterStart", "launch_new_instance", "main"]
