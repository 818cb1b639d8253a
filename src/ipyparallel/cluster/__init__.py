"""Starting, finding and stopping clusters."""

from .cluster import Cluster
from .manager import ClusterManager, clean_cluster_files

__all__ = ["Cluster", "ClusterManager", "clean_cluster_files"]
