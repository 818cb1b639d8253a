"""An exception as text that fits into the JSON of an error reply, so that the client can raise it.

Only a help: where it cannot be had, the reply still says the exception's name and text.
"""

from __future__ import annotations

import base64
import io
import pickle
from collections.abc import Mapping
from typing import Any

from ..error import KernelError, unwrap_exception
from .pickler import PROTOCOL, Pickler

#: Larger pickles are not sent: an exception may hold a reference to anything.
_MAX_BYTES = 1 << 16


def attach_exception(content: dict[str, Any], error: BaseException) -> dict[str, Any]:
    """Add the exception itself to the content of an error reply, if it can be pickled."""
    file = io.BytesIO()
    try:
        Pickler(file, PROTOCOL).dump(error)
    except Exception:  # noqa: BLE001  (the class may be a user's)
        return content
    data = file.getvalue()
    if len(data) <= _MAX_BYTES:
        content["exception"] = base64.b64encode(data).decode()
    return content


def read_exception(content: Mapping[str, Any]) -> KernelError:
    """The exception that the content of an error reply tells of; see `unwrap_exception`."""
    return unwrap_exception(content, _original(content.get("exception")))


def _original(text: Any) -> BaseException | None:
    if not isinstance(text, str):
        return None
    try:
        original = pickle.loads(base64.b64decode(text))
    except BaseException:  # noqa: BLE001  (a class that is not known here, or raises SystemExit)
        return None
    return original if isinstance(original, BaseException) else None
