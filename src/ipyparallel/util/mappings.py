"""Dicts with something more."""

from __future__ import annotations

from typing import Any


class Namespace(dict[str, Any]):
    """A dict whose keys are attributes as well."""

    def __getattr__(self, name: str) -> Any:
        try:
            return self[name]
        except KeyError:
            raise AttributeError(f"there is no {name!r} in this namespace") from None

    def __setattr__(self, name: str, value: Any) -> None:
        self[name] = value


class ReverseDict(dict[Any, Any]):
    """A dict that can be asked from both sides: by key, and by value.

    Nothing may be both a key and a value.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._reverse = {value: key for key, value in self.items()}
        for key in self:
            self._check(key)

    def _check(self, key: Any) -> None:
        if key in self._reverse:
            raise KeyError(f"Can't have key {key!r} on both sides!")

    def __getitem__(self, key: Any) -> Any:
        try:
            return super().__getitem__(key)
        except KeyError:
            return self._reverse[key]

    def __setitem__(self, key: Any, value: Any) -> None:
        self._check(key)
        if value in self:
            raise KeyError(f"Can't have key {value!r} on both sides!")
        if key in self:
            del self._reverse[super().__getitem__(key)]
        super().__setitem__(key, value)
        self._reverse[value] = key

    def __delitem__(self, key: Any) -> None:
        self.pop(key)

    def pop(self, key: Any, *default: Any) -> Any:
        """Take out a key, and its value from the other side."""
        if key not in self:
            return super().pop(key, *default)
        value = super().pop(key)
        del self._reverse[value]
        return value

    def get(self, key: Any, default: Any = None) -> Any:
        """What belongs to `key`, which may be on either side."""
        try:
            return self[key]
        except KeyError:
            return default


def int_keys(dikt: dict[Any, Any]) -> dict[Any, Any]:
    """`dikt`, in which keys that are numbers in text, as JSON has them, become numbers."""
    for key in list(dikt):
        if isinstance(key, str) and key.isascii() and key.isdigit():
            dikt[int(key)] = dikt.pop(key)
    return dikt
