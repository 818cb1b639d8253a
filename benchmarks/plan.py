"""How much is measured: enough for a steady median, little enough for the time allowed."""

from dataclasses import dataclass

from benchmarks.figures import DASK, LOKY, OURS, PUBLISHED

ENGINES = 4
#: Tasks submitted at once where the memory kept is measured.
BATCH = 1_000


@dataclass(frozen=True, slots=True)
class Size:
    """What one subject does.

    Parameters
    ----------
    round_trips, tasks
        Counted in each round.
    kept_warm, kept
        Batches before and during the measure of memory kept; 0 where it is not measured.
    blocked, free
        Tasks that wait for another, and free ones behind them; 0 where it is not measured.
    outstanding, crowd
        Tasks that wait while another is submitted; while another client's run.
    imap
        Items of a lazy map.
    """

    round_trips: int
    tasks: int
    kept_warm: int = 0
    kept: int = 0
    blocked: int = 0
    free: int = 0
    outstanding: int = 0
    crowd: int = 0
    imap: int = 0


@dataclass(frozen=True, slots=True)
class Plan:
    """Rounds, and the size of the work of each subject in a round."""

    rounds: int
    sizes: dict[str, Size]


# The published package gets fewer tasks: it takes longer over each and, with more outstanding,
# longer still, so that a smaller number is also the kinder one.
FULL = Plan(
    rounds=5,
    sizes={
        OURS: Size(
            round_trips=500,
            tasks=5_000,
            kept_warm=50,
            kept=50,
            blocked=2_000,
            free=5_000,
            outstanding=100_000,
            crowd=50_000,
            imap=1_000_000,
        ),
        # its costs grow with the square of the crowd
        PUBLISHED: Size(
            round_trips=300,
            tasks=1_500,
            kept_warm=1,
            kept=10,
            blocked=500,
            free=500,
            outstanding=4_000,
            crowd=2_000,
        ),
        LOKY: Size(round_trips=300, tasks=5_000),
        DASK: Size(round_trips=300, tasks=1_500),
    },
)
QUICK = Plan(
    rounds=2,
    sizes={
        OURS: Size(
            round_trips=200,
            tasks=3_000,
            kept_warm=50,
            kept=20,
            blocked=500,
            free=2_000,
            outstanding=20_000,
            crowd=10_000,
            imap=100_000,
        ),
        PUBLISHED: Size(round_trips=100, tasks=500, kept_warm=1, kept=3),
        LOKY: Size(round_trips=100, tasks=2_000),
        DASK: Size(round_trips=100, tasks=500),
    },
)
