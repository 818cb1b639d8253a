"""Names of what is on the engine, sent in place of objects."""

from __future__ import annotations

from typing import Any

from .pickler import reduces, user_namespace


class Reference:
    """A name, or another expression, that stands for an object on the engine.

    Wherever it is sent, alone or inside something else, what arrives is the object itself::

        view.push({"a": [1, 2]})
        view.apply(len, ipp.Reference("a"))

    Parameters
    ----------
    name : str
        Evaluated in the namespace of the engine.

    Raises
    ------
    TypeError
        The name is not a str.
    """

    # pickles in the published form name this address and these attributes
    __module__ = "ipyparallel.serialize.canning"

    def __init__(self, name: str) -> None:
        if not isinstance(name, str):
            raise TypeError(f"a Reference takes a name, as a str, and not {name!r}")
        self.name = name
        self.buffers: list[Any] = []

    def __repr__(self) -> str:
        return f"<Reference: {self.name!r}>"

    def get_object(self, namespace: dict[str, Any] | None = None) -> Any:
        """What the name stands for.

        Parameters
        ----------
        namespace : dict, optional
            By default that of the user.

        Raises
        ------
        NameError
            It is not defined there.
        """
        try:
            return eval(self.name, user_namespace() if namespace is None else namespace)
        except NameError as e:
            raise NameError(f"{self!r} stands for nothing here: {e}", name=e.name) from None


def look_up_reference(name: str) -> Any:
    """What a reference of this name stands for in this process."""
    return Reference(name).get_object()


@reduces(Reference)
def _reduce(reference: Reference) -> Any:
    return look_up_reference, (reference.name,)


def holds_reference(frame: bytes) -> bool:
    """Whether a pickle may have to look something up, so that it gives another thing next time."""
    return _LOOK_UP in frame


_LOOK_UP = look_up_reference.__name__.encode()
