"""How large a message may be."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

from ..error import MessageTooLarge
from .culprits import name_of

#: No message up to this size (bytes) is too large for any machine, so nobody has to look.
_ALWAYS_FITS = 1 << 28


def check_size(frames: Sequence[Any], limit: int | None, func: Any, setting: str) -> None:
    """Raise if a call, or its result, is too large to be sent.

    Parameters
    ----------
    frames : sequence of buffers
    limit : int or None
        Most bytes; 0: any number; None: half of this machine's memory, since on the way there is
        at least one more copy.
    func : callable or str
        What is called, or its name.
    setting : str
        Where the limit is set; also says whether it is the call or the result.

    Raises
    ------
    MessageTooLarge
        Names all of these, and what to do.
    """
    size = sum(map(len, frames))
    if limit == 0 or (limit is None and size <= _ALWAYS_FITS):
        return
    most = _default_limit() if limit is None else limit
    if size <= most:
        return
    name = func if isinstance(func, str) else name_of(func)
    what = "the result of" if setting.startswith("IPEngine") else "the call of"
    raise MessageTooLarge(
        f"{what} {name} has {size:,} bytes, and {setting} is {most:,}; nothing was sent."
        " Send it in parts, have engines read it from a file or keep it in their namespace, or"
        " raise the limit (0: none)"
    )


@cache
def _default_limit() -> int:
    import psutil

    return int(psutil.virtual_memory().total // 2)
