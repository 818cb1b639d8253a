"""Engines as the task machine sees them, and random histories of them."""

from __future__ import annotations

import math
from collections.abc import Iterator
from random import Random
from typing import Any

from hypothesis import strategies as st

from ipyparallel.scheduling.policies import Policy
from ipyparallel.scheduling.state import Engine, Job


def engine(number: int, limit: float = math.inf, load: int = 0) -> Engine:
    """An engine that holds so many tasks."""
    made = Engine(f"engine-{number}", number, limit)
    for i in range(load):
        give(made, i)
    return made


def give(to: Engine, number: int) -> None:
    """Have an engine hold one task more; `number` names it."""
    job = Job(f"task-{to.id}-{number}")
    to.running[job.msg_id] = job


#: What happens, to which engine (modulo how many there are), and a limit where one is needed.
STEPS = st.lists(
    st.tuples(
        st.sampled_from(["join", "give", "give", "give", "among", "end", "leave", "limit"]),
        st.integers(0, 5),
        st.sampled_from([0, 1, 2, 3, math.inf]),
    ),
    max_size=60,
)


def play(steps: list[Any], *policies: Any) -> Iterator[list[Engine]]:
    """Have engines live through `steps`, tell the policies, and yield the engines after each.

    The first policy decides who gets the tasks.
    """
    engines: dict[int, Engine] = {}
    for number, (step, place, limit) in enumerate(steps):
        if step == "join" or not engines:
            engines[number] = new = engine(number, limit)
            for policy in policies:
                policy.add(new)
        elif step == "leave":
            gone = engines.pop(sorted(engines)[place % len(engines)])
            for policy in policies:
                policy.remove(gone)
        else:
            one: Engine | None = engines[sorted(engines)[place % len(engines)]]
            assert one is not None
            if step == "give":
                one = policies[0].pick()
            elif step == "among":
                one = policies[0].pick_among(list(engines.values())[place:])
            elif step == "end" and one.running:
                one.running.popitem()
            elif step == "limit":
                one.limit = limit
            if one is None:
                continue
            if step in ("give", "among"):
                give(one, number)
            for policy in policies:
                policy.update(one)
        yield list(engines.values())


def chosen(policy: Policy, times: int, among: list[Engine] | None = None) -> dict[int, float]:
    """How often each engine is picked, as shares of 1, by its id."""
    counts: dict[int, int] = {}
    for _ in range(times):
        picked = policy.pick() if among is None else policy.pick_among(among)
        assert picked is not None
        counts[picked.id] = counts.get(picked.id, 0) + 1
    return {number: count / times for number, count in counts.items()}


def fixed() -> Random:
    """Chance that is the same in each run."""
    return Random(2011)
