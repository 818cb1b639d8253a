"""The database in memory: what it keeps, and for how long."""

from datetime import UTC, datetime

import pytest

from ipyparallel.controller.databases.base import CulledRecord, UnknownRecord
from ipyparallel.controller.databases.dictdb import DictDB
from tests.support.records import Lazy

NOW = datetime(2026, 1, 2, tzinfo=UTC)


def run(database, msg_id, nbytes=100):
    """A task that is submitted and ends."""
    database.add_record(msg_id, Lazy(nbytes=0, submitted=NOW))
    database.update_record(msg_id, Lazy(nbytes=nbytes, completed=NOW))


def test_the_limits_that_hold_by_default():
    database = DictDB()
    assert database.record_limit == 1024
    assert database.fetched_size_limit == 8 << 20
    assert database.unfetched_record_limit == 100_000
    assert database.size_limit == 1 << 30
    assert database.cull_fraction == 0.1


def test_pending_records_stay_whatever_the_limits_are():
    database = DictDB(record_limit=0, unfetched_record_limit=0, fetched_size_limit=0, size_limit=0)
    for n in range(3000):
        database.add_record(f"s_{n}", Lazy(nbytes=10_000, submitted=NOW))
        database.update_record(f"s_{n}", {"stdout": "x"})
        database.fetched([f"s_{n}"])
    assert len(database.get_history()) == 3000
    run(database, "s_3000")
    assert len(database.get_history()) == 3000


def test_results_that_nobody_has_fetched_stay_longer_than_those_that_were():
    database = DictDB(record_limit=10)
    for n in range(100):
        run(database, f"kept_{n}")
    for n in range(100):
        run(database, f"fetched_{n}")
        database.fetched([f"fetched_{n}"])
    history = database.get_history()
    assert history[:100] == [f"kept_{n}" for n in range(100)]
    assert 9 <= len(history[100:]) <= 10
    assert history[-1] == "fetched_99"


def test_a_result_may_be_fetched_before_the_news_that_it_came():
    database = DictDB(record_limit=1, cull_fraction=0)
    for n in range(3):
        database.add_record(f"s_{n}", Lazy(submitted=NOW))
        database.fetched([f"s_{n}"])
    assert len(database.get_history()) == 3
    for n in range(3):
        database.update_record(f"s_{n}", Lazy(completed=NOW))
    assert database.get_history() == ["s_2"]


def test_bytes_are_bounded():
    database = DictDB(size_limit=10_000)
    for n in range(100):
        run(database, f"s_{n}", nbytes=1000)
    assert database.get_history()[-1] == "s_99"
    assert 9 <= len(database.get_history()) <= 10
    run(database, "s_100", nbytes=10_001)
    assert "s_100" not in database.get_history()
    assert len(database.get_history()) >= 9


def test_bytes_of_plain_dicts_are_counted():
    database = DictDB(size_limit=100_000)
    for n in range(30):
        database.add_record(f"s_{n}", {"submitted": NOW, "buffers": [b"x" * 5000]})
        database.update_record(f"s_{n}", {"completed": NOW, "result_buffers": [b"y" * 5000]})
    assert 8 <= len(database.get_history()) <= 10


def test_output_that_comes_after_the_result_counts():
    database = DictDB(size_limit=10_000)
    run(database, "s_0")
    run(database, "s_1")
    database.update_record("s_0", {"stdout": "x" * 9900})
    assert database.get_history() == ["s_1"]


def test_output_that_is_replaced_counts_no_more():
    database = DictDB(size_limit=10_000)
    run(database, "s_0")
    for n in range(100):
        database.update_record("s_0", {"stdout": "x" * (1000 + n)})
    assert database.get_history() == ["s_0"]


def test_what_is_pending_again_stays():
    database = DictDB(unfetched_record_limit=1, cull_fraction=0)
    run(database, "s_0")
    database.update_record("s_0", {"completed": None})
    run(database, "s_1")
    run(database, "s_2")
    assert database.get_history() == ["s_0", "s_2"]


def test_a_reader_is_told_what_was_culled_and_why():
    database = DictDB(record_limit=5)
    for n in range(10):
        run(database, f"s_{n}")
    database.fetched([f"s_{n}" for n in range(10)])
    text = r"'s_0' has been culled for size: DictDB\.record_limit = 5 was exceeded"
    for ask in (database.get_record, database.drop_record):
        with pytest.raises(CulledRecord, match=text):
            ask("s_0")
        with pytest.raises(UnknownRecord, match="No such message: 's_10'"):
            ask("s_10")
    with pytest.raises(CulledRecord, match=text):
        database.update_record("s_0", {"stdout": ""})
    with pytest.raises(UnknownRecord, match="No such message: 's_10'"):
        database.update_record("s_10", {"stdout": ""})


def test_limits_can_be_changed_while_it_runs():
    database = DictDB()
    for n in range(10):
        run(database, f"s_{n}")
    database.unfetched_record_limit = 5
    assert len(database.get_history()) == 4


def test_dropped_records_count_no_more():
    database = DictDB(unfetched_record_limit=3)
    for n in range(100):
        run(database, f"s_{n}")
        database.drop_record(f"s_{n}")
        run(database, f"t_{n}")
        database.drop_matching_records({"msg_id": f"t_{n}"})
    for n in range(3):
        run(database, f"u_{n}")
    assert database.get_history() == ["u_0", "u_1", "u_2"]


def test_lazy_records_are_kept_as_they_are_and_asked_for_what_is_read():
    database = DictDB()
    first, then = Lazy(submitted=NOW, content="c"), Lazy(completed=NOW, result_content="r")
    database.add_record("s_1", first)
    database.update_record("s_1", then)
    assert set(first.asked + then.asked) <= {"completed"}
    [found] = database.find_records({"msg_id": "s_1"}, ["submitted"])
    assert found == {"msg_id": "s_1", "submitted": NOW}
    assert set(first.asked + then.asked) == {"completed", "submitted"}


def test_nothing_is_kept_of_what_went():
    database = DictDB(record_limit=10)
    for n in range(1000):
        run(database, f"s_{n}")
        database.fetched([f"s_{n}"])
    assert len(database._records) <= 10
    assert len(database._retention._fetched.sizes) <= 10
    assert not database._retention._unfetched.sizes
    assert database._retention._fetched.nbytes == 100 * len(database._records)
    assert len(database._culled._highest) == 1
