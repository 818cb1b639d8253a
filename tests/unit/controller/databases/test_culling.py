"""Which records must go, and what is remembered of them."""

from dataclasses import replace

import pytest

from ipyparallel.controller.databases.culling import Culled, Limits, Retention

LIMITS = Limits(
    record_limit=10,
    fetched_size_limit=1000,
    unfetched_record_limit=20,
    size_limit=5000,
    cull_fraction=0.1,
)


def retention(**limits):
    return Retention(replace(LIMITS, **limits))


def gone(retained):
    return [msg_id for msg_id, _ in retained.excess()]


def test_nothing_goes_within_the_limits():
    retained = retention()
    for n in range(10):
        retained.add(f"f{n}", 100, fetched=True)
    for n in range(20):
        retained.add(f"u{n}", 200, fetched=False)
    assert gone(retained) == []


def test_a_limit_that_is_exceeded_is_undercut():
    retained = retention()
    for n in range(11):
        retained.add(f"f{n}", 1, fetched=True)
    assert list(retained.excess()) == [("f0", "record_limit"), ("f1", "record_limit")]
    assert gone(retained) == []


@pytest.mark.parametrize(
    ("fetched", "number", "nbytes", "limit", "expected"),
    [
        (True, 4, 300, "fetched_size_limit", ["0"]),
        (False, 21, 1, "unfetched_record_limit", ["0", "1", "2"]),
        (False, 6, 1000, "size_limit", ["0", "1"]),
    ],
)
def test_each_limit_takes_the_oldest(fetched, number, nbytes, limit, expected):
    retained = retention()
    for n in range(number):
        retained.add(str(n), nbytes, fetched=fetched)
    assert list(retained.excess()) == [(msg_id, limit) for msg_id in expected]


def test_what_was_fetched_goes_before_what_was_not():
    retained = retention(fetched_size_limit=5000)
    retained.add("old", 2500, fetched=False)
    retained.add("fetched", 1500, fetched=True)
    retained.add("new", 1500, fetched=False)
    assert gone(retained) == ["fetched"]


def test_a_record_that_is_too_large_goes_alone():
    retained = retention()
    retained.add("small", 10, fetched=False)
    retained.add("large", 5001, fetched=False)
    assert list(retained.excess()) == [("large", "size_limit")]


def test_fetching_moves_a_record_to_the_others():
    retained = retention()
    for n in range(15):
        retained.add(str(n), 1, fetched=False)
    for n in reversed(range(11)):
        retained.fetched(str(n))
    assert gone(retained) == ["10", "9"]


def test_growth_counts_and_what_is_removed_does_not():
    retained = retention()
    retained.add("a", 400, fetched=True)
    retained.add("b", 400, fetched=True)
    retained.grow("b", 300)
    retained.grow("unknown", 10_000)
    assert gone(retained) == ["a"]
    retained.add("c", 500, fetched=True)
    retained.remove("b")
    retained.remove("unknown")
    assert gone(retained) == []


def test_what_was_culled_is_told_from_what_never_was():
    culled = Culled()
    culled.add("session_1_7", "the limit")
    culled.add("session_1_3", "the limit")
    culled.add("odd", "another")
    assert culled.why("session_1_7") == culled.why("session_1_0") == "the limit"
    assert culled.why("odd") == "another"
    for unknown in ("session_1_8", "session_2_1", "session_1", "odder", "session_1_x", "_1", ""):
        assert culled.why(unknown) is None


def test_memory_of_what_was_culled_is_bounded():
    culled = Culled(prefixes=3)
    for n in range(1000):
        culled.add(f"often_{n}", "the limit")
        culled.add(f"s{n}_1", "the limit")
    assert culled.why("often_999") == culled.why("s999_1") == culled.why("s998_1") == "the limit"
    assert culled.why("s997_1") is None
    assert culled.why(f"often_{'9' * 5000}") is None
