"""What a task waits for: the end of other tasks."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any


class Dependency(set[str]):
    """A set of tasks, and how they must end for another to run.

    Parameters
    ----------
    dependencies : str, AsyncResult, collection of these, or dict
        The tasks; a dict as `as_dict` makes it, whose flags then count.
    all : bool
        Whether all must have ended in that way, or one will do.
    success, failure : bool
        Whether a task that succeeded counts, and whether one that failed does.

    Raises
    ------
    TypeError
        Something in it is not a task.
    ValueError
        Neither success nor failure counts; the dict has a key that does not belong there.
    """

    # where users import it from, and what pickles name
    __module__ = "ipyparallel.controller.dependency"

    def __init__(
        self,
        dependencies: Any = (),
        all: bool = True,
        success: bool = True,
        failure: bool = False,
    ) -> None:
        if isinstance(dependencies, Mapping):
            given = {"all": all, "success": success, "failure": failure, **dependencies}
            all, success, failure = (given.pop(name) for name in ("all", "success", "failure"))
            dependencies = given.pop("dependencies", ())
            if given:
                raise ValueError(
                    "a dependency as a dict has the keys dependencies, all, success and failure,"
                    f" not {', '.join(map(repr, given))}"
                )
        if not success and not failure:
            raise ValueError("a dependency must count success, or failure, or both")
        super().__init__(_msg_ids(dependencies))
        self.all = bool(all)
        self.success = bool(success)
        self.failure = bool(failure)

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (sorted(self), self.all, self.success, self.failure)

    def check(self, completed: Collection[str], failed: Collection[str] | None = None) -> bool:
        """Whether it is met.

        Parameters
        ----------
        completed : collection of str
            Ids of the tasks that succeeded.
        failed : collection of str, optional
            Ids of those that failed.
        """
        ended = self._counted(completed, failed, self.success, self.failure)
        if not self:
            return True
        return self.issubset(ended) if self.all else not self.isdisjoint(ended)

    def unreachable(
        self, completed: Collection[str], failed: Collection[str] | None = None
    ) -> bool:
        """Whether it can not be met any more; parameters as for `check`."""
        against = self._counted(completed, failed, not self.success, not self.failure)
        if not self:
            return False
        return not self.isdisjoint(against) if self.all else self.issubset(against)

    @staticmethod
    def _counted(
        completed: Collection[str], failed: Collection[str] | None, success: bool, failure: bool
    ) -> set[str]:
        counted = set(completed) if success else set()
        if failure:
            counted.update(failed or ())
        return counted

    def as_dict(self) -> dict[str, Any]:
        """The form in which it is sent to the scheduler."""
        return {
            "dependencies": sorted(self),
            "all": self.all,
            "success": self.success,
            "failure": self.failure,
        }


def _msg_ids(dependencies: Any) -> Iterable[str]:
    if isinstance(dependencies, str):
        yield dependencies
    elif hasattr(dependencies, "msg_ids"):
        yield from dependencies.msg_ids
    elif isinstance(dependencies, Iterable) and not isinstance(dependencies, bytes):
        for item in dependencies:
            yield from _msg_ids(item)
    else:
        raise TypeError(
            "a dependency is the id of a task, an AsyncResult, or a collection of these, not"
            f" {dependencies!r}"
        )
