"""Requests to cancel tasks, until it is known of each where it was."""

from __future__ import annotations

from typing import Any

from .commands import Answer

#: Where a task was when it was cancelled.
WAITING, QUEUED, RUNNING, FINISHED = "waiting", "queued", "running", "finished"

#: Where it was when it was to be cancelled only if it did not run yet: it does.
SPARED = "spared"


class _Request:
    __slots__ = ("left", "outcomes", "payload")

    def __init__(self, payload: Any) -> None:
        self.payload = payload
        self.outcomes: dict[str, str] = {}
        #: Of how many tasks it is not known yet.
        self.left = 0


class Cancellations:
    """Collects what became of the tasks of each request."""

    def __init__(self) -> None:
        self._asked: dict[str, list[_Request]] = {}

    def begin(self, payload: Any, known: dict[str, str], asked: list[str]) -> Answer | None:
        """A request has come.

        Parameters
        ----------
        payload : object
            Comes back with the answer.
        known : dict
            Where tasks were, as far as that is known.
        asked : list of str
            The tasks whose engines are asked.

        Returns
        -------
        Answer or None
            The answer, if nobody has to be asked.
        """
        if not asked:
            return Answer(payload, known)
        request = _Request(payload)
        request.outcomes = known
        request.left = len(asked)
        for msg_id in asked:
            self._asked.setdefault(msg_id, []).append(request)
        return None

    def note(self, msg_id: str, outcome: str) -> list[Answer]:
        """It is known now where a task was: the answers that waited for this alone."""
        answers = []
        for request in self._asked.pop(msg_id, ()):
            request.outcomes[msg_id] = outcome
            request.left -= 1
            if not request.left:
                answers.append(Answer(request.payload, request.outcomes))
        return answers
