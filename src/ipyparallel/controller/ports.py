"""Port numbers for the controller's channels."""

from __future__ import annotations

from collections.abc import Iterable, Iterator


def parse_ports(text: str) -> list[int]:
    """Port numbers from text such as ``10101-10105,10108``.

    Raises
    ------
    ValueError
        Not of that form, or a number that no port has.
    """
    ports: list[int] = []
    for part in filter(None, (part.strip() for part in text.split(","))):
        first, dash, last = part.partition("-")
        try:
            numbers = range(int(first), int(last if dash else first) + 1)
        except ValueError:
            raise ValueError(
                f"ports must be given like '10101-10105,10108', not {text!r}"
            ) from None
        if not numbers or numbers[0] < 1 or numbers[-1] > 65535:
            raise ValueError(f"ports must be 1 to 65535, in ascending order, not {part!r}")
        ports += numbers
    return ports


def sequence(ports: Iterable[int] = ()) -> Iterator[int]:
    """The given port numbers, then 0 for ever: any free port."""
    yield from ports
    while True:
        yield 0
