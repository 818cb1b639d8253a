"""How many tasks an engine may hold, by evidence.

While an engine waits for its next task it does nothing; a second task that waits on the engine
fills that gap. For tasks that take long the gap does not matter, and the waiting task might have
run elsewhere meanwhile. So only engines whose recent tasks were very short hold more than one.
"""

from __future__ import annotations

from .state import Engine

#: (seconds a recent task took at most, tasks the engine may hold).
_STEPS = ((0.0002, 8), (0.0005, 4), (0.001, 2))

#: Weight of the newest duration in the average. A long task counts in full at once.
_WEIGHT = 0.2


def observe(engine: Engine, seconds: float) -> None:
    """Take account of a task that took so many seconds on the engine."""
    if engine.duration < 0 or seconds > 0.01:
        engine.duration = seconds
    else:
        engine.duration += _WEIGHT * (seconds - engine.duration)


def limit(engine: Engine) -> int:
    """How many tasks the engine may hold now."""
    if engine.duration >= 0:
        for seconds, tasks in _STEPS:
            if engine.duration <= seconds:
                return tasks
    return 1
