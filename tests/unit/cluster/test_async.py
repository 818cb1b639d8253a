import asyncio
import contextvars
import inspect

import pytest

from ipyparallel._async import AsyncFirst, blocking, run_blocking

place = contextvars.ContextVar("place", default="nowhere")


class Thing(AsyncFirst):
    async def double(self, x: int, *, times: int = 1) -> int:
        """Double it."""
        await asyncio.sleep(0)
        return x * 2**times

    async def fail(self) -> None:
        raise KeyError("x")

    async def where(self) -> str:
        return place.get()

    async def _private(self) -> None: ...

    def plain(self) -> None: ...


class Written(AsyncFirst):
    async def m(self) -> str:
        return "base"

    m_sync = blocking(m)


class Overrides(Written):
    async def m(self) -> str:
        return "derived"


class NotAsync(Written):
    def m(self) -> str:
        return "plain"


def test_a_twin_blocks_and_returns_the_result():
    assert Thing().double_sync(3, times=2) == 12


def test_a_twin_works_where_a_loop_runs():
    async def main():
        return Thing().double_sync(3)

    assert asyncio.run(main()) == 6


def test_the_context_goes_along_to_the_other_thread():
    async def main():
        place.set("here")
        return Thing().where_sync()

    assert asyncio.run(main()) == "here"


@pytest.mark.parametrize("inside", [False, True])
def test_errors_come_out_clean(inside):
    async def main():
        Thing().fail_sync()

    with pytest.raises(KeyError) as info:
        asyncio.run(main()) if inside else Thing().fail_sync()
    assert info.value.__context__ is None


def test_a_twin_has_name_doc_and_signature():
    twin = Thing().double_sync
    assert twin.__name__ == "double_sync"
    assert twin.__qualname__ == "Thing.double_sync"
    assert twin.__doc__ == "Double it."
    assert list(inspect.signature(twin).parameters) == ["x", "times"]
    assert not inspect.iscoroutinefunction(twin)
    assert "double_sync" in dir(Thing())


@pytest.mark.parametrize("name", ["plain_sync", "_private_sync", "nothing_sync"])
def test_what_is_no_coroutine_has_no_twin(name):
    assert name not in dir(Thing())
    with pytest.raises(AttributeError):
        getattr(Thing(), name)


@pytest.mark.parametrize(
    ("cls", "result"), [(Written, "base"), (Overrides, "derived"), (NotAsync, "plain")]
)
def test_a_twin_obeys_what_a_subclass_overrides(cls, result):
    assert cls().m_sync() == result


def test_the_current_event_loop_is_left_alone():
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    try:
        Thing().double_sync(1)
        assert asyncio.get_event_loop_policy().get_event_loop() is loop
    finally:
        asyncio.set_event_loop(None)
        loop.close()


def test_blocking_calls_nest():
    async def outer():
        return run_blocking(inner())

    async def inner():
        return Thing().double_sync(2)

    assert run_blocking(outer()) == 4
