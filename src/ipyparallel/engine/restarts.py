"""Whether, and when, an engine that died is started again."""

from __future__ import annotations

import signal
from dataclasses import dataclass

#: What `RestartPolicy.when` may be.
NEVER, ON_FAILURE = "never", "on-failure"

#: Has a supervisor replace all its engines. What does not know this signal, or is not yet ready
#: for it, ignores it.
RESTART_SIGNAL = getattr(signal, "SIGURG", 0)

#: Seconds of life after which an engine that dies is not one that cannot live.
LONG_LIFE = 60.0

#: Most seconds to wait before another start.
_LONGEST_DELAY = 30.0


@dataclass(frozen=True)
class RestartPolicy:
    """When engines that die are started again.

    Parameters
    ----------
    when : str
        ``'never'`` or ``'on-failure'``.
    limit : int
        How often in a row: a life of more than a minute starts the count anew.
    delay : float
        Seconds to wait before the second start in a row; before each further one twice as many,
        up to 30. The first is at once.
    """

    when: str = NEVER
    limit: int = 5
    delay: float = 1.0

    def count(self, earlier: int, life: float) -> int:
        """How many deaths in a row there are.

        Parameters
        ----------
        earlier : int
            The number before this death.
        life : float
            Seconds that the engine lived.
        """
        return 1 if life > LONG_LIFE else earlier + 1

    def allows(self, deaths: int) -> bool:
        """Whether to start another one after so many deaths in a row."""
        return self.when == ON_FAILURE and deaths <= self.limit

    def delay_after(self, deaths: int) -> float:
        """Seconds to wait then."""
        if deaths < 2:
            return 0.0
        # the exponent is bounded, or the number would be too large some day
        return float(min(self.delay * 2 ** min(deaths - 2, 64), _LONGEST_DELAY))
