"""How much there is to do: asked of the direct relay and the task scheduler, for who asks both."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from . import link


@dataclass(slots=True)
class _Question:
    """Who wants to know, and what is known by now."""

    then: Callable[[link.Load, link.Load], None]
    direct: link.Load | None = None
    balanced: link.Load | None = None


class Loads:
    """See the module's text.

    Parameters
    ----------
    ask : callable
        Sends a request to both.
    """

    def __init__(self, ask: Callable[[link.LoadRequest], None]) -> None:
        self._ask = ask
        self._questions: dict[int, _Question] = {}
        self._number = 0

    def ask(self, then: Callable[[link.Load, link.Load], None]) -> None:
        """Call `then` with what there is to do, directly and balanced."""
        self._number += 1
        self._questions[self._number] = _Question(then)
        self._ask(link.LoadRequest(self._number))

    def direct(self, load: link.Load) -> None:
        """The relay has answered."""
        self._questions[load.number].direct = load
        self._check(load.number)

    def balanced(self, load: link.Load) -> None:
        """The scheduler has answered."""
        self._questions[load.number].balanced = load
        self._check(load.number)

    def _check(self, number: int) -> None:
        question = self._questions[number]
        if question.direct is not None and question.balanced is not None:
            del self._questions[number]
            question.then(question.direct, question.balanced)
