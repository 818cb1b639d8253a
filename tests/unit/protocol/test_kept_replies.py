"""The last replies are kept, as many as fit."""

import pytest

from ipyparallel.protocol.kept_replies import KeptReplies
from tests.support.clock import Clock


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def kept(clock):
    return KeptReplies(max_bytes=10_000, max_age=60.0, now=clock)


def test_a_reply_is_found_by_the_name_of_its_request(kept):
    kept.keep("a", [b"client", b"reply"])
    assert kept.get("a") == [b"client", b"reply"]
    assert kept.get("b") is None


def test_the_oldest_make_room(kept):
    for name in "abc":
        kept.keep(name, [b"client", bytes(4000)])
    assert [name for name in "abc" if kept.get(name)] == ["b", "c"]


def test_small_ones_are_not_free(kept):
    for number in range(1000):
        kept.keep(str(number), [b"client", b""])
    assert kept.get("999")
    assert sum(bool(kept.get(str(number))) for number in range(1000)) < 30


def test_one_that_is_too_large_is_not_kept_and_costs_no_other(kept):
    kept.keep("a", [b"client", b"small"])
    kept.keep("b", [b"client", b"envelope", bytes(20_000)])
    assert kept.get("a")
    assert kept.get("b") is None


def test_one_that_takes_the_place_of_another_of_its_name(kept):
    for _ in range(10):
        kept.keep("a", [b"client", bytes(4000)])
    kept.keep("b", [b"client", bytes(4000)])
    kept.keep("a", [b"client", b"envelope", bytes(20_000)])
    assert kept.get("a") is None
    assert kept.get("b")


def test_old_ones_are_forgotten_as_new_ones_come(kept, clock):
    kept.keep("a", [b"client", b""])
    clock.now = 61.0
    kept.keep("b", [b"client", b""])
    assert kept.get("a") is None
    assert kept.get("b")


def test_what_a_buffer_refers_to_may_change(kept):
    memory = bytearray(b"before")
    kept.keep("a", [b"client", b"envelope", memoryview(memory)])
    memory[:] = b"after!"
    assert kept.get("a") == [b"client", b"envelope", b"before"]


def test_those_sent_before_some_time(kept, clock):
    for name in "abc":
        kept.keep(name, [name.encode(), b""])
        clock.now += 1
    assert kept.sent_before(2.0) == [[b"a", b""], [b"b", b""]]
