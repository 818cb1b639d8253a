"""The trait in which engines' resources are declared."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from traitlets import Dict, TraitError

from ..protocol.resources import check_resources, parse_resources

#: What the trait holds: the same for all engines, or one dict for each.
EngineResources = dict[str, float] | list[dict[str, float]]


class Resources(Dict):
    """A dict of names and numbers, or a list of such dicts, one for each engine.

    Also takes the texts that `parse_resources` reads, one or several.
    """

    info_text = "a dict of names and numbers, or a list of such dicts"

    def from_string(self, text: str) -> Any:
        """Read what was typed once."""
        return self.from_string_list([text])

    def from_string_list(self, texts: list[str]) -> Any:
        """Read what was typed, perhaps several times."""
        return _read(texts)

    def validate(self, obj: Any, value: Any) -> Any:
        """Check it, wherever it comes from.

        Raises
        ------
        TraitError
            It makes no sense.
        """
        try:
            return _read(value)
        except (TypeError, ValueError) as e:
            raise TraitError(f"{type(obj).__name__}.{self.name}: {e}") from None


def resources_of(resources: EngineResources, index: int) -> dict[str, float]:
    """Those of one engine of several."""
    return resources[index] if isinstance(resources, list) else resources


def check_number(resources: EngineResources, n: int) -> None:
    """Raise ValueError if there is one dict for each engine, but of another number of engines."""
    if isinstance(resources, list) and len(resources) != n:
        raise ValueError(
            f"the resources of {len(resources)} engines are given, and there are to be {n}:"
            " give one dict for all, or a list of as many dicts as engines"
        )


def _read(value: Any) -> EngineResources:
    if isinstance(value, str):
        value = parse_resources(value)
    elif _is_list(value) and value and all(isinstance(part, str) for part in value):
        parts = [parse_resources(text) for text in value]
        value = parts[0] if len(parts) == 1 else _merged(parts)
    if _is_list(value):
        return [check_resources(part) for part in value]
    return check_resources(value)


def _is_list(value: Any) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str)


def _merged(parts: list[Any]) -> dict[str, float]:
    merged: dict[str, float] = {}
    for part in parts:
        merged |= check_resources(part)
    return merged
