"""Submit tasks, go home, and read their results the next day, with another client.

ipcluster start -n 4 --daemonize
python examples/submit_and_go_home.py submit
python examples/submit_and_go_home.py collect

Without an argument: all of it, in a cluster of its own.
"""

from __future__ import annotations

import sys

import ipyparallel as ipp

#: By which the tasks are found again. Their ids would do, too, if somebody wrote them down.
LABEL = "pi"
TASKS = 20
POINTS = 20_000


def count_inside(seed: int, points: int) -> int:
    """How many of these random points in a square are inside the circle."""
    import random

    rng = random.Random(seed)
    return sum(rng.random() ** 2 + rng.random() ** 2 < 1 for _ in range(points))


def submit(rc: ipp.Client) -> None:
    """In the evening: submit, and wait for nothing."""
    view = rc.load_balanced_view()
    with view.temp_flags(label=LABEL, retries=2):
        for seed in range(TASKS):
            view.apply_async(count_inside, seed, POINTS)
    print(f"Submitted {TASKS} tasks.")


def collect(rc: ipp.Client) -> None:
    """The next day: find them, read the results, tidy up."""
    records = rc.db_query({"label": LABEL}, keys=["msg_id"])
    msg_ids = [record["msg_id"] for record in records]
    print(f"Found {len(msg_ids)} of {len(rc.hub_history())} tasks.")

    result = rc.get_result(msg_ids)  # those that still run are waited for
    inside = sum(result.get())
    print(f"Pi is about {4 * inside / (TASKS * POINTS):.3f}.")

    ended = rc.db_query({"label": LABEL, "completed": {"$ne": None}}, ["started", "completed"])
    seconds = [(record["completed"] - record["started"]).total_seconds() for record in ended]
    print(f"{len(seconds)} tasks have ended, each in less than a minute: {max(seconds) < 60}")

    rc.purge_hub_results(msg_ids)
    print(f"Left: {rc.db_query({'label': LABEL})}")


def main(step: str | None) -> None:
    """Do one step, or both."""
    steps = {"submit": submit, "collect": collect}
    if step is not None:
        with ipp.Client() as rc:
            steps[step](rc)
        return
    cluster = ipp.Cluster(n=2)
    with cluster:
        for do in steps.values():
            with cluster.connect_client_sync() as rc:
                do(rc)


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else None)
