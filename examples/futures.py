"""Engines behind Python's own interfaces: concurrent.futures and asyncio.

python examples/futures.py
"""

from __future__ import annotations

import asyncio
from concurrent import futures

import ipyparallel as ipp


def is_prime(n: int) -> bool:
    """Whether `n` is a prime; slow."""
    return n > 1 and all(n % i for i in range(2, int(n**0.5) + 1))


def with_futures(executor: futures.Executor) -> None:
    """Code for any executor; it does not know that this one has engines."""
    tasks = {executor.submit(is_prime, n): n for n in range(10**9, 10**9 + 10)}
    found = [tasks[done] for done in futures.as_completed(tasks) if done.result()]
    print("as_completed:", found)

    done, pending = futures.wait([executor.submit(is_prime, n) for n in (91, 97)])
    print("wait:", sorted(task.result() for task in done), len(pending), "pending")

    print("map:", [n for n, prime in enumerate(executor.map(is_prime, range(30))) if prime])


async def with_asyncio(view: ipp.LoadBalancedView) -> None:
    """The same in coroutines: results are awaited, and whatever else there is goes on meanwhile."""
    print("await:", await view.apply_async(is_prime, 10**9 + 7))
    print("gather:", await asyncio.gather(*(view.apply_async(is_prime, n) for n in (2, 4))))
    loop = asyncio.get_running_loop()
    print("run_in_executor:", await loop.run_in_executor(view.executor, is_prime, 10**9 + 9))
    count = 0
    async for prime in view.map_async(is_prime, range(100)):
        count += prime
    print("async for:", count, "primes")


def main() -> None:
    """Look for primes."""
    with ipp.Cluster(n=2) as rc:
        view = rc.load_balanced_view()
        with_futures(view.executor)
        asyncio.run(with_asyncio(view))


if __name__ == "__main__":
    main()
