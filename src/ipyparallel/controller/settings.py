"""Settings of the parts of a controller, under the names that configuration files use."""

from __future__ import annotations

from traitlets import CaselessStrEnum, Integer, Union
from traitlets.config import Configurable

from ..scheduling.policies import POLICIES

#: The scheme without a policy; see `pure_scheduler`.
PURE = "pure"


class HeartMonitor(Configurable):
    """How the hub listens to the engines' hearts."""

    period = Integer(3000, min=1, help="Milliseconds between pings.").tag(config=True)
    max_heartmonitor_misses = Integer(
        30,
        min=0,
        help="Pings in a row that an engine may leave unanswered, before it counts as gone. After"
        " three of them it gets no new tasks until it is heard again.",
    ).tag(config=True)


class TaskScheduler(Configurable):
    """How tasks are given to engines."""

    scheme_name = CaselessStrEnum(
        sorted([*POLICIES, PURE]),
        "leastload",
        help="The rule by which an engine is chosen. 'leastload': the one that has the least to"
        " do; 'lru': the one used least recently; 'plainrandom': any; 'twobin': of two at random,"
        " the one used less recently; 'weighted': of two at random, drawn by how little they have"
        " to do, the one that has less; 'pure': one after the other, without a look at what they"
        " do; no targets, dependencies, retries or time limits.",
    ).tag(config=True)
    hwm = Union(
        [Integer(min=0), CaselessStrEnum(["auto"])],
        default_value="auto",
        help="Most tasks that an engine may hold at a time; 0: any number; 'auto': several only"
        " while its tasks are very short. Has no effect with the scheme 'pure'.",
    ).tag(config=True)


class TaskRecords(Configurable):
    """What is kept of tasks, whichever database keeps it."""

    payload_limit = Integer(
        1 << 20,
        min=0,
        help="Bytes: of a task that is larger, with its arguments, these are not kept, so that it"
        " cannot be submitted again from its record.",
    ).tag(config=True)
    output_limit = Integer(
        100_000,
        min=0,
        help="Characters of each stream of a task that are kept, and bytes of what it shows.",
    ).tag(config=True)
