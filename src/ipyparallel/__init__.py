"""Interactive parallel computing in Python.

A controller routes work from a client, in a script or a notebook, to engines, which are IPython
kernels with a namespace that stays::

    import ipyparallel as ipp

    with ipp.Cluster(n=4) as client:
        client[:].apply_sync(lambda: "hello")
"""

import os as _os
from concurrent.futures import ALL_COMPLETED, FIRST_COMPLETED, FIRST_EXCEPTION

from traitlets.config import MultipleInstanceError

from . import client as client
from . import cluster as cluster
from . import controller as controller
from . import engine as engine
from . import error
from . import serialize as serialize
from . import traitlets as traitlets
from . import util as util
from ._version import __version__, version_info
from .client.client import Client
from .client.inside import get_client
from .client.remotefunction import ParallelFunction, RemoteFunction, parallel, remote
from .client.results import AsyncHubResult, AsyncMapResult, AsyncResult, Cancellation, as_completed
from .client.views import DirectView, LoadBalancedView, ViewExecutor
from .cluster import Cluster, ClusterManager
from .controller.dependency import Dependency, depend, dependent, interactive, require
from .engine.current import bind_kernel
from .error import *  # noqa: F403
from .joblib import register as register_joblib_backend
from .serialize import (
    PrePickled,
    Reference,
    can,
    can_map,
    deserialize_object,
    pack_apply_message,
    send_by_value,
    serialize_object,
    uncan,
    uncan_map,
    unpack_apply_message,
    use_cloudpickle,
    use_dill,
    use_pickle,
)

#: Whether nothing is to be shown by default while one waits.
_NONINTERACTIVE = _os.environ.get("IPP_NONINTERACTIVE", "") not in {"", "0"}

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
    "ViewExecutor",
    "AsyncResult",
    "AsyncHubResult",
    "AsyncMapResult",
    "Cancellation",
    "as_completed",
    "Dependency",
    "depend",
    "dependent",
    "interactive",
    "require",
    "PrePickled",
    "Reference",
    "can",
    "can_map",
    "deserialize_object",
    "pack_apply_message",
    "send_by_value",
    "serialize_object",
    "uncan",
    "uncan_map",
    "unpack_apply_message",
    "use_cloudpickle",
    "use_dill",
    "use_pickle",
    "ParallelFunction",
    "RemoteFunction",
    "parallel",
    "remote",
    "ALL_COMPLETED",
    "FIRST_COMPLETED",
    "FIRST_EXCEPTION",
    "MultipleInstanceError",
    "bind_kernel",
    "register_joblib_backend",
    "get_client",
]
