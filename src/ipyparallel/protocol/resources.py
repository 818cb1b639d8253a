"""What engines have, and tasks need, of things that have only names: ``gpu=1 mem=16``."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from typing import Any

_WHAT = "resources map names to numbers, such as {'gpu': 1, 'mem': 16}"


def check_resources(resources: Any) -> dict[str, float]:
    """The resources, if they are such.

    Raises
    ------
    TypeError
        They are not a mapping of texts to numbers.
    ValueError
        A name is empty; or a number is negative, infinite or not one.
    """
    if not isinstance(resources, Mapping):
        raise TypeError(f"{_WHAT}; {resources!r} does not")
    for name, amount in resources.items():
        if not isinstance(name, str):
            raise TypeError(f"{_WHAT}; {name!r} is not a name")
        if not name.strip():
            raise ValueError(f"{_WHAT}; a name must not be empty")
        if isinstance(amount, bool) or not isinstance(amount, int | float):
            raise TypeError(f"{_WHAT}; {amount!r}, of {name!r}, is not a number")
        if not math.isfinite(amount) or amount < 0:
            raise ValueError(f"{_WHAT}; {amount!r}, of {name!r}, is not finite and at least 0")
    return dict(resources)


def format_resources(resources: Mapping[str, float]) -> str:
    """The resources as one would type them; an empty text for none."""
    return " ".join(f"{name}={amount:g}" for name, amount in resources.items())


def parse_resources(text: str) -> Any:
    """What a text says: ``gpu=1 mem=16``, ``gpu=1,mem=16``, or JSON. JSON is not checked.

    Raises
    ------
    ValueError
        It is no such text.
    """
    if text.lstrip().startswith(("{", "[")):
        try:
            return json.loads(text)
        except ValueError as e:
            raise ValueError(f"{text!r} is not JSON: {e}") from None
    resources: dict[str, float] = {}
    for part in filter(None, re.split(r"[\s,]+", text)):
        name, _, number = part.partition("=")
        try:
            amount = float(number)
        except ValueError:
            raise ValueError(
                f"resources are given as 'name=number', such as 'gpu=1,mem=16'; {part!r} is not"
            ) from None
        resources[name] = int(amount) if amount.is_integer() else amount
    return resources
