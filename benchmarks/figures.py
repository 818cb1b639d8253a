"""The table of figures: what each is, its unit and the target it must meet."""

from dataclasses import dataclass
from typing import Literal

OURS = "ours"
PUBLISHED = "published"
LOKY = "loky"
DASK = "dask"

#: What `--only` accepts: a group of figures that are measured together.
GROUPS = ("start", "memory", "round-trip", "direct", "tasks", "kept", "crowd", "imap")


@dataclass(frozen=True, slots=True)
class Target:
    """A bound on our value, or on the ratio of ours to the published package's.

    Parameters
    ----------
    of
        Whether `value` or `ratio` is bound.
    sense
        `<=` where less is better, `>=` where more is.
    limit
        The bound, which is still good.
    """

    of: Literal["value", "ratio"]
    sense: Literal["<=", ">="]
    limit: float

    def met(self, ours: float | None, ratio: float | None) -> bool | None:
        """Say whether the target is met; None where what it needs was not measured."""
        number = ours if self.of == "value" else ratio
        if number is None:
            return None
        return number <= self.limit if self.sense == "<=" else number >= self.limit

    def __str__(self) -> str:
        times = "x" if self.of == "ratio" else ""
        return f"{self.sense} {self.limit:g}{times}"


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured number.

    Parameters
    ----------
    name
        The key in the JSON file.
    group
        What `--only` selects it by.
    title
        Its name in the table.
    digits
        Decimals shown.
    target
        What ours must meet; None for a figure that only informs.
    """

    name: str
    group: str
    title: str
    digits: int
    target: Target | None = None


FIGURES = (
    Figure("round_trip", "round-trip", "balanced round trip, ms", 3, Target("ratio", "<=", 0.35)),
    Figure("direct_round_trip", "direct", "direct round trip, ms", 3),
    Figure("tasks", "tasks", "separate balanced tasks, /s", 0, Target("ratio", ">=", 7)),
    Figure("start", "start", "start 4 engines and connect, s", 2, Target("ratio", "<=", 0.25)),
    # Beside the start, because a package could move its work from one to the other.
    Figure("import", "start", "import the package, s", 2),
    Figure("controller_processes", "memory", "processes of the controller", 0),
    Figure("engine_processes", "memory", "processes per engine", 2),
    Figure("host_processes", "memory", "processes per host, besides", 0),
    Figure("memory", "memory", "memory of the cluster (PSS), MB", 1, Target("ratio", "<=", 0.6)),
    Figure(
        "kept_controller",
        "kept",
        "kept per task, controller, bytes",
        0,
        Target("value", "<=", 50),
    ),
    Figure("kept_client", "kept", "kept per task, client, bytes", 0, Target("value", "<=", 50)),
    Figure("kept_client_objects", "kept", "kept per task, client, objects", 2),
    Figure("kept_engines", "kept", "kept per task, engines, bytes", 0),
    Figure(
        "blocked_ahead",
        "crowd",
        "cost of a task, many blocked ahead, x none",
        2,
        Target("value", "<=", 1.2),
    ),
    Figure(
        "outstanding",
        "crowd",
        "cost to submit, many outstanding, x few",
        2,
        Target("value", "<=", 1.2),
    ),
    Figure(
        "fairness",
        "crowd",
        "time beside another's crowd, x idle",
        2,
        Target("value", "<=", 3),
    ),
    Figure("imap_client", "imap", "lazy map, client grows by, MB", 1, Target("value", "<=", 20)),
    Figure(
        "imap_controller",
        "imap",
        "lazy map, controller grows by, MB",
        1,
        Target("value", "<=", 20),
    ),
)
