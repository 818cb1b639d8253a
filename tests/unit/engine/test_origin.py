"""Output belongs to the request that caused it, whichever thread or task it comes from."""

from __future__ import annotations

import asyncio
import contextvars
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from ipyparallel.engine import origin


@pytest.fixture(autouse=True)
def following(monkeypatch):
    monkeypatch.setattr(threading.Thread, "start", threading.Thread.start)
    monkeypatch.setattr(ThreadPoolExecutor, "submit", ThreadPoolExecutor.submit)
    monkeypatch.setattr(origin, "_latest", origin._NONE)
    origin.follow_threads()


@pytest.fixture
def run():
    """Runs code in a context of its own, which does not leave a request behind."""
    return contextvars.copy_context().run


def request(name):
    return {"header": {"msg_id": name}, "content": {}}


def here():
    return origin.current().header.get("msg_id", "")


def test_a_thread_belongs_to_who_started_it_for_ever(run):
    ended, seen = threading.Event(), []

    def work():
        seen.append(here())
        ended.wait(20)
        seen.append(here())

    def check():
        assert here() == ""
        origin.begin(request("one"))
        thread = threading.Thread(target=work)
        thread.start()
        origin.begin(request("two"))
        ended.set()
        thread.join()
        assert seen == ["one", "one"]
        assert here() == "two"

    run(check)


def test_threads_of_threads(run):
    seen = []

    def work():
        inner = threading.Thread(target=lambda: seen.append(here()))
        inner.start()
        inner.join()

    def check():
        origin.begin(request("one"))
        thread = threading.Thread(target=work)
        origin.begin(request("two"))
        thread.start()
        thread.join()

    run(check)
    assert seen == ["two"]


def test_work_in_a_pool_belongs_to_who_handed_it_over(run):
    def check():
        with ThreadPoolExecutor(1) as pool:
            seen = []
            for name in ("one", "two"):
                origin.begin(request(name))
                seen.append(pool.submit(here))
                seen += pool.map(lambda _: here(), [0])
            assert [s if isinstance(s, str) else s.result() for s in seen] == [
                *("one", "one", "two", "two")
            ]

    run(check)


def test_a_pool_still_passes_arguments_and_errors(run):
    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(pow, 2, exp=5).result() == 32
        with pytest.raises(ZeroDivisionError):
            pool.submit(divmod, 1, 0).result()


def test_asyncio_tasks(run):
    async def late():
        await asyncio.sleep(0)
        return here(), await asyncio.to_thread(here)

    async def main():
        origin.begin(request("one"))
        task = asyncio.create_task(late())
        origin.begin(request("two"))
        return await task, here()

    assert run(asyncio.run, main()) == (("one", "one"), "two")


def test_a_thread_nobody_can_place_belongs_to_the_latest(run):
    import _thread

    def check():
        origin.begin(request("one"))
        seen, done = [], threading.Event()

        def work():
            seen.append(here())
            done.set()

        _thread.start_new_thread(work, ())
        assert done.wait(20)
        assert seen == ["one"]

    run(check)


def test_what_is_set_explicitly_holds(run):
    follower = origin.Follower()

    def check():
        origin.begin(request("one"))
        follower.set_parent(request("one"))
        before = origin.current()
        token = follower.set_thread_parent(request("other"))
        assert follower.parent_header == {"msg_id": "other"}
        follower.reset_thread_parent(token)
        assert origin.current() is before
        follower.set_parent({"msg_id": "third"})
        assert here() == "third"

    run(check)


def test_the_same_request_is_begun_once(run):
    def check():
        origin.begin(request("one"))
        first = origin.current()
        first.written["stdout"] = 5
        origin.begin(request("one"))
        assert origin.current() is first
        assert first.message == {"header": {"msg_id": "one"}}

    run(check)
