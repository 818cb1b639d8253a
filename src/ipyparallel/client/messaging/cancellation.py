"""What became of tasks that somebody wanted to cancel."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Self


class Cancellation(int):
    """What cancelling, or aborting, some tasks has done: 1 if at least one of them ended by it.

    So it may be used as the bool that `concurrent.futures.Future.cancel` returns, and says more.

    Attributes
    ----------
    waiting : tuple of str
        Ids of the tasks that waited for an engine, or for other tasks; they will not be run.
    queued : tuple of str
        Of those that were queued on an engine; they will not be run.
    running : tuple of str
        Of those that were running; they were interrupted.
    finished : tuple of str
        Of those that had ended before, or were just about to: they keep their results.
    unconfirmed : tuple of str
        Of those that engines of the published ipyparallel have, which run on what they have begun:
        they were asked not to begin these, and do not say whether they had. Their futures say so
        when it is known.

    Examples
    --------
    >>> ar.cancel()
    <Cancellation: 3 waiting, 1 queued, 1 running (interrupted), 2 finished>
    """

    __module__ = "ipyparallel"

    waiting: tuple[str, ...]
    queued: tuple[str, ...]
    running: tuple[str, ...]
    finished: tuple[str, ...]
    unconfirmed: tuple[str, ...]

    def __new__(cls, **msg_ids: Iterable[str]) -> Self:
        """Make one of the ids of the tasks, by where these were."""
        lists = {place: tuple(msg_ids.pop(place, ())) for place in PLACES}
        if msg_ids:
            raise TypeError(f"there are no tasks that are {', '.join(msg_ids)}")
        self = super().__new__(cls, any(lists[place] for place in CANCELLED))
        vars(self).update(lists)
        return self

    @classmethod
    def of(cls, places: Iterable[tuple[str, str]]) -> Self:
        """Make one of pairs of ids and places."""
        lists: dict[str, list[str]] = {}
        for msg_id, place in places:
            lists.setdefault(place, []).append(msg_id)
        return cls(**lists)

    def __repr__(self) -> str:
        numbers = [
            f"{len(msg_ids)} {_WORDS.get(place, place)}"
            for place in PLACES
            if (msg_ids := getattr(self, place))
        ]
        return f"<Cancellation: {', '.join(numbers) or 'no tasks'}>"

    def __reduce__(self) -> Any:
        return _made, ({place: getattr(self, place) for place in PLACES},)


#: Where a task may have been, and that it ended by being cancelled there.
CANCELLED = ("waiting", "queued", "running")
PLACES = (*CANCELLED, "finished", "unconfirmed")

_WORDS = {
    "running": "running (interrupted)",
    "unconfirmed": "asked not to begin",
}


def _made(lists: dict[str, tuple[str, ...]]) -> Cancellation:
    return Cancellation(**lists)
