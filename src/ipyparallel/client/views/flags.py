"""The flags of a view: how it calls, unless a call says otherwise."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Self

from traitlets import Any as AnyTrait
from traitlets import Bool, HasTraits, TraitType, Unicode

from ..arguments import check_flag
from ..messaging.history import History

if TYPE_CHECKING:
    from ..client import Client


class Flag(TraitType[bool, bool]):
    """A trait that takes True and False only: ``view.block = 'no'`` would mean yes."""

    default_value = False

    def validate(self, obj: Any, value: Any) -> bool:
        """See `check_flag`."""
        return check_flag(str(self.name), value)


class Flags(HasTraits):
    """What a view is, apart from what it does: its client, engines, flags and history."""

    block = Flag(False, help="Whether calls wait for their results.")
    track = Bool(
        False, help="Whether results tell (`sent`) when the memory of large arguments is free."
    )
    targets = AnyTrait(help="The engines.")
    label = Unicode(None, allow_none=True, help="Given to all tasks.")

    #: Whether the scheduler chooses the engines.
    _is_balanced = False

    #: Names that `set_flags` takes.
    _flag_names: tuple[str, ...] = ("targets", "block", "track", "label")

    def __init__(self, client: Client, targets: Any, **flags: Any) -> None:
        super().__init__(targets=targets)
        self.client = client
        self.block = client.block
        self.history = History(client.session.id_prefix)
        self.set_flags(**flags)

    def __repr__(self) -> str:
        text = str(self.targets)
        if len(text) > 16:
            text = text[:12] + "...]"
        return f"<{type(self).__name__} {text}>"

    def __len__(self) -> int:
        if isinstance(self.targets, (list, tuple)):
            return len(self.targets)
        if self.targets is None:
            return len(self.client)
        return len(self.client._resolve(self.targets)) if self.client.ids else 0

    # ---- flags

    def set_flags(self, **flags: Any) -> Self:
        """Set flags; returns the view.

        Parameters
        ----------
        **flags
            Names and values: `targets`, `block`, `track`, `label`; those of a load balanced view
            have more, see there.

        Raises
        ------
        KeyError
            A name that is not a flag.
        TypeError, ValueError
            A value that a flag cannot have. None is set then, nor when a name is wrong.
        """
        for name in flags:
            if name not in self._flag_names:
                raise KeyError(f"Invalid name: {name!r} (flags are: {', '.join(self._flag_names)})")
        before = {name: getattr(self, name) for name in flags}
        try:
            for name, value in flags.items():
                setattr(self, name, value)
        except BaseException:
            for name, value in before.items():
                setattr(self, name, value)
            raise
        return self

    @contextmanager
    def temp_flags(self, **flags: Any) -> Iterator[Self]:
        """Set flags for the duration of a ``with`` block; see `set_flags`."""
        saved = {name: getattr(self, name) for name in self._flag_names}
        try:
            yield self.set_flags(**flags)
        finally:
            self.set_flags(**saved)

    def _with_flags(self, **flags: Any) -> Self:
        """A twin with other flags: what is submitted through it counts as this view's.

        For one call; this view stays as it is for the other threads that use it.
        """
        return copy.copy(self).set_flags(**flags)

    def __setstate__(self, state: dict[str, Any]) -> None:
        # a part of copying; the base class looks through all names of the class for observers,
        # which takes longer than a call, and finds none
        self.__dict__ = state

    def _targets(self, targets: Any) -> Any:
        return self.targets if targets is None else targets

    def _blocks(self, block: bool | None) -> bool:
        """Whether to wait; called before anything is sent, since the argument may be wrong."""
        return bool(self.block) if block is None else check_flag("block", block)
