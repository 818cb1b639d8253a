"""What views have engines call: small functions that work on the namespace there.

They are sent by name, so engines of this package have them loaded.
"""

from __future__ import annotations

from collections.abc import Iterable
from keyword import iskeyword
from typing import Any

from .pickler import user_namespace


def push(namespace: dict[str, Any]) -> None:
    """Assign each value to the target its key names, which may be dotted or subscripted."""
    user_ns = user_namespace()
    for name, value in namespace.items():
        if name.isidentifier() and not iskeyword(name):
            user_ns[name] = value
            continue
        temporary = "_ipp_pushed"
        user_ns[temporary] = value
        try:
            exec(f"{name} = {temporary}", user_ns)
        finally:
            del user_ns[temporary]


def pull(names: str | list[str]) -> Any:
    """The value of the expression `names`, or the list of the values of several."""
    user_ns = user_namespace()
    if isinstance(names, str):
        return user_ns[names] if names in user_ns else eval(names, user_ns)
    return [pull(name) for name in names]


class MapCall:
    """Calls a function on each element of the sequences it gets.

    A class of its own, so that the function inside is remembered as a plain one would be, on both
    sides.
    """

    __slots__ = ("__weakref__", "func")

    def __init__(self, func: Any) -> None:
        self.func = func

    def __reduce__(self) -> Any:
        return MapCall, (self.func,)

    @property
    def __name__(self) -> str:
        return str(getattr(self.func, "__name__", "map"))

    def __call__(self, *sequences: Iterable[Any]) -> list[Any]:
        """The results, as far as the shortest sequence goes."""
        return list(map(self.func, *sequences))
