"""Only what user code's caller has called is interrupted."""

from __future__ import annotations

import asyncio
import sys

from ipyparallel.engine.interrupts import interruptible, may_interrupt, protected


@interruptible
def run(call):
    return call()


@protected
def work(call):
    return call()


def here() -> bool:
    return may_interrupt(sys._getframe())


def test_what_a_marked_function_calls_may_be_interrupted():
    assert run(here)
    assert run(lambda: next(here() for _ in range(1)))
    assert not here()
    assert not may_interrupt(None)


def test_the_nearest_mark_wins():
    assert not run(lambda: work(here))
    assert run(lambda: work(lambda: run(here)))
    assert not work(here)


def test_a_coroutine_may_be_marked():
    @interruptible
    async def user_code():
        await asyncio.sleep(0)
        return here()

    async def main():
        return here(), await user_code()

    assert asyncio.run(main()) == (False, True)
