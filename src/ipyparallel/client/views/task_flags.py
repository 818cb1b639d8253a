"""What the scheduler is told about each task: the flags of a load balanced view."""

from __future__ import annotations

import builtins
import math
import warnings
from collections.abc import Callable, Mapping
from numbers import Real
from operator import index
from types import MappingProxyType
from typing import Any

from traitlets import TraitType

from ...protocol.messages import encode
from ...serialize.functional import dependent
from .dependencies import as_dependency, in_metadata
from .flags import Flags


class Checked(TraitType[Any, Any]):
    """A trait whose values a function looks at, and may replace by their usual form.

    Parameters
    ----------
    check : callable
        Called with the trait's name and a value; raises what is wrong with it.
    """

    def __init__(self, check: Callable[[str, Any], Any], default: Any, *, help: str) -> None:
        super().__init__(default, allow_none=True, help=help)
        self._check = check

    def validate(self, obj: Any, value: Any) -> Any:
        """See `check` above."""
        return self._check(str(self.name), value)

    def set(self, obj: Any, value: Any) -> None:
        """Set it, and tell the view: an observer would cost more, above all to copy a view."""
        super().set(obj, value)
        obj._flag_was_set()

    # that of the base class lets None through
    def _validate(self, obj: Any, value: Any) -> Any:
        return self.validate(obj, value)


def check_seconds(name: str, value: Any) -> float:
    """A number of seconds, 0 for no limit, as is None."""
    if value is None:
        return 0.0
    if isinstance(value, bool) or not isinstance(value, Real):
        raise TypeError(f"{name} must be a number of seconds, not {value!r}")
    if not 0 <= float(value) < math.inf:
        raise ValueError(f"{name} must be a number of seconds, at least 0 (0: none), not {value!r}")
    return float(value)


def check_int(name: str, value: Any) -> int:
    """An int, numpy's among them."""
    try:
        if not isinstance(value, bool):
            return index(value)
    except TypeError:
        pass
    raise TypeError(f"{name} must be an int, not {value!r}")


def check_retries(name: str, value: Any) -> int:
    """How often to try again."""
    retries = check_int(name, value)
    if retries < 0:
        raise ValueError(f"{name} must be at least 0, not {value!r}")
    return retries


def check_resources(name: str, value: Any) -> Mapping[str, float] | None:
    """How much of what a task needs, by name; not to be changed but by setting it anew."""
    if value is None:
        return None
    if not isinstance(value, Mapping):
        raise TypeError(f"{name} must be a dict of names and numbers, not {value!r}")
    for key, amount in value.items():
        if not isinstance(key, str):
            raise TypeError(f"{name} must be a dict of names and numbers, and {key!r} is no name")
        if isinstance(amount, bool) or not isinstance(amount, Real):
            raise TypeError(f"{name}: {key!r} must be a number, not {amount!r}")
        if not 0 < float(amount) < math.inf:
            raise ValueError(f"{name}: {key!r} must be a positive number, not {amount!r}")
    return MappingProxyType({key: float(amount) for key, amount in value.items()}) or None


def check_retry_on(name: str, value: Any) -> tuple[Any, ...] | None:
    """Types of exceptions, or their names; None for any."""
    if value is None:
        return None
    types = tuple(value) if isinstance(value, (tuple, list, set, frozenset)) else (value,)
    for kind in types:
        name_of_exception(name, kind)
    return types


def name_of_exception(flag: str, kind: Any) -> str:
    """``module.qualname``."""
    if isinstance(kind, type) and issubclass(kind, BaseException):
        return f"{kind.__module__}.{kind.__qualname__}"
    if not isinstance(kind, str):
        raise TypeError(f"{flag} takes types of exceptions, or their names, not {kind!r}")
    if all(part.isidentifier() for part in kind.split(".")):
        if "." in kind:
            return kind
        builtin = getattr(builtins, kind, None)
        if isinstance(builtin, type) and issubclass(builtin, BaseException):
            return f"builtins.{builtin.__qualname__}"
    raise ValueError(
        f"{flag}: {kind!r} is not the name of an exception; one that is not built in needs its"
        " module, as in 'package.module.Name'"
    )


def check_targets(name: str, value: Any) -> list[int] | slice | None:
    """Ids of engines, one, or a slice of them; None for any engine."""
    if value is None or (isinstance(value, str) and value == "all"):
        return None
    if isinstance(value, slice):
        return value
    if isinstance(value, (list, tuple, range, set, frozenset)):
        return [check_int(f"each of the {name}", target) for target in value]
    return [check_int(f"{name}, unless ids of engines,", value)]


class TaskFlags(Flags):
    """The part of `LoadBalancedView` that says what the scheduler has to know of each task."""

    targets = Checked(check_targets, None, help="The engines that may be chosen; None: any.")
    after = Checked(as_dependency, None, help="The tasks that must have ended before.")
    follow = Checked(as_dependency, None, help="The tasks whose engines may be chosen.")
    timeout = Checked(check_seconds, 0.0, help="Seconds a task may wait for others; 0: any time.")
    retries = Checked(check_retries, 0, help="How often a task that fails is tried again.")
    priority = Checked(check_int, 0, help="Of the tasks that wait, those of a higher one go first.")
    resources = Checked(check_resources, None, help="What a task needs: amounts by name.")
    time_limit = Checked(check_seconds, 0.0, help="Seconds a task may run; 0: any time.")
    retry_on = Checked(check_retry_on, None, help="The exceptions after which `retries` applies.")

    #: Names of flags whose values the pure scheduler, which reads no metadata, does not heed.
    _heeded_flags = (
        "targets",
        "after",
        "follow",
        "timeout",
        "retries",
        "priority",
        "resources",
        "time_limit",
        "retry_on",
    )
    _flag_names = (*Flags._flag_names, *_heeded_flags[1:])

    #: Another object after each change of a flag; and whether one holds what can change by itself.
    _change: object = None
    _depends = False
    #: The metadata of tasks as of the last call, and what it is right for.
    _encoded: tuple[Any, bytes] = (None, b"")

    def _flag_was_set(self) -> None:
        self._change = object()  # a number that two threads raise at once would be the same
        self._depends = self.after is not None or self.follow is not None

    def task_metadata(self, label: str | None = None) -> bytes:
        """What the scheduler is told about each task.

        Parameters
        ----------
        label : str, optional
            Instead of the view's.

        Raises
        ------
        RuntimeError
            The scheduler is the pure one, and would not heed the flags.
        """
        # needed for each call, so not made anew for each
        targets = self.targets
        state = (
            self._change,
            self.client._messenger.engines.changes,
            tuple(targets) if isinstance(targets, list) else None,
            self.label if label is None else label,
        )
        known, encoded = self._encoded
        if known != state or self._depends:
            new = encode(self._task_metadata(state[-1]))
            # tasks keep it, and the ids in it may be many
            encoded = encoded if new == encoded else new
            self._encoded = state, encoded
        return encoded

    def _task_metadata(self, label: str | None) -> dict[str, Any]:
        self._check_heeded()
        metadata = {
            "after": in_metadata(self.after),
            "follow": in_metadata(self.follow),
            "timeout": self.timeout,
            "targets": self._target_uuids(),
            "retries": self.retries,
            "label": label,
            "count_output": True,
        }
        # these the published scheduler does not know, so they are not mentioned for nothing
        if self.priority:
            metadata["priority"] = self.priority
        if self.resources is not None:
            metadata["resources"] = dict(self.resources)
        if self.time_limit:
            metadata["time_limit"] = self.time_limit
        if self.retry_on is not None:
            metadata["retry_on"] = [name_of_exception("retry_on", e) for e in self.retry_on]
        return metadata

    def _target_uuids(self) -> list[str]:
        table = self.client._messenger.engines
        targets = self.targets
        if targets is None and table.foreign:
            # only engines of this version can read our calls
            targets = [i for i, uuid in table.uuids.items() if uuid not in table.foreign]
        if not targets:
            return []
        uuids, ids = table.uuids, table.ids
        if isinstance(targets, slice):
            targets = ids[targets]
        # negative ones count from the end
        chosen = [ids[i] if -len(ids) <= i < 0 else i for i in targets]
        # one that is gone is named all the same, so that the scheduler can tell
        return [uuids.get(i, f"engine {i}") for i in chosen]

    # ---- the pure scheduler

    @property
    def _is_pure(self) -> bool:
        """Whether the scheduler just passes tasks on, to one engine after the other."""
        return self.client._messenger.task_scheme == "pure"

    def _check_heeded(self) -> None:
        if not self._is_pure:
            return
        unheeded = [name for name in self._heeded_flags if getattr(self, name)]
        if unheeded:
            raise RuntimeError(
                f"the pure scheduler does not heed {', '.join(unheeded)}: leave that out, or start"
                " the controller with another scheme, such as leastload"
            )

    def _check_function(self, func: Any) -> None:
        if self._is_pure and isinstance(func, dependent):
            warnings.warn(
                "the pure scheduler does not look for an engine that meets what"
                f" {func.__name__} depends on: where it is not met, the call fails",
                UserWarning,
                stacklevel=4,
            )
