"""Objects that are pickled once and sent many times."""

from __future__ import annotations

import pickle
from typing import Any

from .pickler import deserialize, serialize


class PrePickled:
    """An object pickled now, for as many calls as it is passed to.

    It arrives as the object. Changes to the object after it was pickled are not sent.

    Parameters
    ----------
    obj : object
        A function or an argument.

    Attributes
    ----------
    buffers : list of bytes-like
        Its frames; large arrays among them are not copied.
    """

    __module__ = "ipyparallel.serialize.serialize"

    def __init__(self, obj: Any) -> None:
        self.buffers = serialize(obj)
        self.__name__ = str(getattr(obj, "__name__", None) or type(obj).__name__)

    def __repr__(self) -> str:
        return f"<PrePickled: {self.__name__}>"

    def load(self) -> Any:
        """The object, unpickled."""
        return load_frames(*self.buffers)

    def __reduce_ex__(self, protocol: Any) -> Any:
        if protocol >= 5:
            return load_frames, tuple(map(pickle.PickleBuffer, self.buffers))
        return load_frames, tuple(map(bytes, self.buffers))


def load_frames(*frames: Any) -> Any:
    """The object of these frames."""
    return deserialize(frames, "what was pre-pickled")
