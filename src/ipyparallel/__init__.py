"""Interactive parallel computing in Python.

A controller routes work from a client, in a script or a notebook, to engines, which are IPython
kernels with a namespace that stays::

    import ipyparallel as ipp

    with ipp.Cluster(n=4) as client:
        client[:].apply_sync(lambda: "hello")
"""

from . import error
from ._version import __version__, version_info
from .client.client import Client
from .client.results import AsyncMapResult, AsyncResult, as_completed
from .client.views import DirectView, LoadBalancedView
from .cluster import Cluster, ClusterManager
from .controller.dependency import Dependency, depend, dependent, interactive, require
from .error import *  # noqa: F403
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
]
