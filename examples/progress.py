"""Progress bars: the client's own, and tqdm's around whatever is iterated over.

python examples/progress.py
"""

from __future__ import annotations

from tqdm import tqdm

import ipyparallel as ipp


def work(seconds: float) -> float:
    """Take some time."""
    import time

    time.sleep(seconds)
    return seconds


def main() -> None:
    """The same tasks three times."""
    tasks = [0.02] * 50
    with ipp.Cluster(n=2) as rc:
        view = rc.load_balanced_view()

        # the client's own
        ar = view.map_async(work, tasks)
        ar.wait_interactive()

        # a result that is to come knows how long it is
        total = sum(tqdm(view.map_async(work, tasks), desc="tqdm"))

        # an iterator that takes its input as there is room for it does not
        lazy = view.imap(work, iter(tasks))
        total += sum(tqdm(lazy, desc="lazy", total=len(tasks)))
    print(f"{total:.2f} s of work")


if __name__ == "__main__":
    main()
