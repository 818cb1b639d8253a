"""Interactive parallel computing in Python.

A controller routes work from a client, in a script or a notebook, to engines, which are IPython
kernels with a namespace that stays::

    import ipyparallel as ipp

    with ipp.Cluster(n=4) as client:
        client[:].apply_sync(lambda: "hello")
"""

from . import error
from ._version import __version__, version_info
from .client.asyncresult import AsyncMapResult, AsyncResult
from .client.client import Client
from .client.views import DirectView, LoadBalancedView
from .cluster import Cluster, ClusterManager
from .engine.current import bind_kernel
from .error import *  # noqa: F403

__all__ = [
    *error.__all__,
    "__version__",
    "version_info",
    "error",
    "Client",
    "Cluster",
    "ClusterManager",
    "DirectView",
    "LoadBalancedView",
    "AsyncResult",
    "AsyncMapResult",
    "bind_kernel",
]
