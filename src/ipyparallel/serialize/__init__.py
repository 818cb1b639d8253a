"""Objects to frames and back: one pickler for functions, arguments and results.

`pickler`, `functions` and `apply` are what clients and engines of this package use. `canning`,
`codeutil` and `serialize` are the published form, at its public addresses.
"""

from . import canning, codeutil, serialize
from .by_value import send_by_value
from .canning import Reference, can, can_map, uncan, uncan_map
from .pickler import use_cloudpickle, use_dill, use_pickle
from .serialize import (
    PrePickled,
    deserialize_object,
    pack_apply_message,
    serialize_object,
    unpack_apply_message,
)

__all__ = [
    "PrePickled",
    "Reference",
    "can",
    "can_map",
    "canning",
    "codeutil",
    "deserialize_object",
    "pack_apply_message",
    "send_by_value",
    "serialize",
    "serialize_object",
    "uncan",
    "uncan_map",
    "unpack_apply_message",
    "use_cloudpickle",
    "use_dill",
    "use_pickle",
]
