"""What every database that keeps records does."""

import contextlib
from datetime import UTC, datetime, timedelta, timezone

import pytest

from ipyparallel.controller.databases.base import FIELDS, UnknownRecord, empty_record
from ipyparallel.controller.databases.matching import InvalidQuery
from tests.support.records import Lazy

NOW = datetime(2026, 1, 2, 3, 4, 5, 678000, tzinfo=UTC)


def full_record(msg_id="s_1", submitted=NOW):
    return {
        "msg_id": msg_id,
        "header": {"msg_id": msg_id, "date": submitted, "session": "s", "n": 1},
        "metadata": {"retries": 2, "targets": None},
        "content": {"code": "1\n2", "deep": {"list": [1, None, "ü"]}},
        "buffers": [b"\0\1", b""],
        "submitted": submitted,
        "client_uuid": "client",
        "engine_uuid": "engine",
        "started": NOW + timedelta(seconds=1),
        "completed": NOW + timedelta(seconds=2),
        "resubmitted": "s_2",
        "received": NOW + timedelta(seconds=3),
        "result_header": {"date": NOW + timedelta(seconds=2)},
        "result_metadata": {"status": "ok"},
        "result_content": {"status": "ok"},
        "result_buffers": [b"result"],
        "queue": "task",
        "execute_input": "1\n2",
        "execute_result": {"data": {"text/plain": "2"}},
        "error": None,
        "stdout": "out",
        "stderr": "err",
        "label": "mine",
    }


def msg_ids(records):
    return [record["msg_id"] for record in records]


def test_a_record_is_read_as_it_was_written(database):
    record = full_record()
    assert list(record) == list(FIELDS)
    database.add_record("s_1", record)
    assert database.get_record("s_1") == record


def test_what_is_not_known_of_a_record_is_empty(database):
    database.add_record("s_1", {"header": {"date": NOW}})
    expected = {**empty_record(), "msg_id": "s_1", "header": {"date": NOW}}
    assert database.get_record("s_1") == expected
    assert (expected["stdout"], expected["stderr"], expected["label"]) == ("", "", None)


def test_lazy_records_are_read_as_plain_ones(database):
    record = full_record()
    first, then = ("msg_id", "header", "submitted"), ("completed", "result_buffers")
    database.add_record("s_1", Lazy(**{field: record[field] for field in first}))
    database.update_record("s_1", Lazy(**{field: record[field] for field in then}))
    read = database.get_record("s_1")
    assert type(read) is dict
    assert read == {**empty_record(), **{field: record[field] for field in (*first, *then)}}


def test_updates_set_some_fields_and_the_last_one_holds(database):
    database.add_record("s_1", {"label": "x", "submitted": NOW})
    database.update_record("s_1", {"stdout": "a"})
    database.update_record("s_1", Lazy(stdout="ab", queue="mux"))
    database.update_record("s_1", {"label": None})
    database.get_history()  # what comes now is another batch, where there are batches
    database.update_record("s_1", {"stdout": "abc"})
    expected = {"msg_id": "s_1", "submitted": NOW, "stdout": "abc", "queue": "mux"}
    assert database.get_record("s_1") == {**empty_record(), **expected}


def test_an_update_makes_no_record(database):
    with contextlib.suppress(UnknownRecord):  # those that write later cannot tell at once
        database.update_record("s_1", {"stdout": "a"})
    assert database.get_history() == []


def test_a_record_of_the_same_id_replaces_what_was_there(database):
    database.add_record("s_1", full_record())
    database.add_record("s_1", {"submitted": NOW})
    assert database.get_record("s_1") == {**empty_record(), "msg_id": "s_1", "submitted": NOW}
    assert database.get_history() == ["s_1"]


def test_readers_own_what_they_read(database):
    database.add_record("s_1", full_record())
    database.get_record("s_1")["content"]["deep"]["list"].append(2)
    database.find_records({})[0]["content"]["deep"].clear()
    database.find_records({}, ["buffers"])[0]["buffers"].clear()
    assert database.get_record("s_1") == full_record()


def test_writers_may_go_on_with_what_they_wrote(database):
    record = full_record()
    database.add_record("s_1", record)
    record["content"] = None
    del record["header"]
    assert database.get_record("s_1") == full_record()


def test_history_is_in_the_order_of_submission(database):
    for number, seconds in enumerate([3, 1, 2]):
        database.add_record(f"s_{number}", {"submitted": NOW + timedelta(seconds=seconds)})
    database.add_record("s_9", {})  # its output came first
    assert database.get_history() == ["s_9", "s_1", "s_2", "s_0"]
    assert msg_ids(database.find_records({})) == ["s_9", "s_1", "s_2", "s_0"]


def test_the_order_is_that_of_time_in_whatever_zone(database):
    zone = timezone(timedelta(hours=5))
    database.add_record("s_1", {"submitted": NOW.astimezone(zone)})
    database.add_record("s_2", {"submitted": NOW - timedelta(seconds=1)})
    assert database.get_history() == ["s_2", "s_1"]
    submitted = database.get_record("s_1")["submitted"]
    assert submitted == NOW
    assert submitted.tzinfo is not None


def test_what_was_never_there_is_not_found(database):
    with pytest.raises(KeyError, match=r"^No such message: 'nobody_7'$"):
        database.get_record("nobody_7")
    with pytest.raises(KeyError, match="nobody_7"):
        database.drop_record("nobody_7")
    assert database.find_records({"msg_id": "nobody_7"}) == []


def test_records_are_dropped_by_id(database):
    for number in range(3):
        database.add_record(f"s_{number}", {"submitted": NOW})
    database.drop_record("s_1")
    assert database.get_history() == ["s_0", "s_2"]
    with pytest.raises(KeyError):
        database.drop_record("s_1")
    with pytest.raises(KeyError):
        database.get_record("s_1")


@pytest.mark.parametrize(
    "query",
    [{"completed": {"$ne": None}}, {"label": {"$glob": "e*"}}, {"msg_id": {"$in": ["s_1", "x"]}}],
    ids=str,
)
def test_records_are_dropped_by_query(database, query):
    database.add_record("s_0", {"submitted": NOW})
    database.add_record("s_1", {"submitted": NOW, "completed": NOW, "label": "ended"})
    database.drop_matching_records(query)
    assert database.get_history() == ["s_0"]
    database.drop_matching_records({})
    assert database.get_history() == []


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ("a", "1"),
        (None, "0"),
        ({"$ne": None}, "1234"),
        ({"$exists": False}, "0"),
        ({"$ne": "a"}, "0234"),
        ({"$nin": ["a", "b"]}, "024"),
        ({"$in": ["a", "b", "x"]}, "13"),
        ({"$in": ["a", None]}, "01"),
        ({"$in": []}, ""),
        ({"$glob": "a*"}, "12"),
        ({"$glob": "a*1"}, "2"),
        ({"$glob": "a"}, "1"),
        ({"$glob": "[!a]"}, "3"),
        ({"$lt": "b"}, "12"),
        ({"$le": "b", "$gt": "a"}, "23"),
        ({"$eq": "a", "$ne": "a"}, ""),
        ({"$gte": 5}, "4"),
        ({"$lt": None}, ""),
        (5, "4"),
        ("5", ""),
    ],
    ids=str,
)
def test_texts_are_found(database, wanted, expected):
    for number, label in enumerate([None, "a", "ab-1", "b", 5]):
        database.add_record(f"s_{number}", {"submitted": NOW, "label": label})
    expected = [f"s_{number}" for number in expected]
    assert msg_ids(database.find_records({"label": wanted})) == expected
    database.drop_matching_records({"label": wanted})
    assert sorted({*database.get_history(), *expected}) == [f"s_{n}" for n in range(5)]
    assert not {*database.get_history()} & {*expected}


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        (NOW, "1"),
        (None, "0"),
        ({"$gt": NOW}, "23"),
        ({"$gte": NOW, "$lt": NOW + timedelta(seconds=1)}, "12"),
        ({"$lt": NOW}, ""),
        ({"$lte": NOW}, "1"),
        ({"$ne": NOW}, "023"),
        ({"$in": [NOW, None]}, "01"),
        ({"$gt": NOW.isoformat()}, ""),
    ],
    ids=str,
)
def test_dates_are_found(database, wanted, expected):
    for number, seconds in enumerate([None, 0, 0.2, 1]):
        date = None if seconds is None else NOW + timedelta(seconds=seconds)
        database.add_record(f"s_{number}", {"submitted": NOW, "completed": date})
    found = database.find_records({"completed": wanted})
    assert msg_ids(found) == [f"s_{number}" for number in expected]


def test_buffers_are_found_only_if_they_are_asked_for(database):
    database.add_record("s_1", full_record())
    [found] = database.find_records({})
    assert set(found) == set(FIELDS) - {"buffers", "result_buffers"}
    [found] = database.find_records({}, keys=["result_buffers", "label"])
    assert found == {"msg_id": "s_1", "result_buffers": [b"result"], "label": "mine"}
    [found] = database.find_records({}, keys=[])
    assert found == {"msg_id": "s_1"}


def test_a_reader_sees_all_that_was_written_before(database):
    for number in range(500):
        database.add_record(f"s_{number}", {"submitted": NOW})
        if number % 100 == 0:
            assert database.get_record(f"s_{number}")["submitted"] == NOW
    assert len(database.get_history()) == 500
    assert len(database.find_records({"completed": None})) == 500
    for number in range(500):
        database.update_record(f"s_{number}", {"completed": NOW})
    assert database.find_records({"completed": None}) == []


def test_fetched_ids_need_not_be_known(database):
    database.add_record("s_1", {"submitted": NOW})
    database.fetched(["s_1", "never_seen"])
    assert database.get_history() == ["s_1"]


@pytest.mark.parametrize(
    ("query", "text"),
    [
        ({"colour": 1}, r"Unknown field 'colour'.* known: msg_id, header, "),
        ({7: 1}, r"Unknown field 7.* known: "),
        ({"label": {"$like": "x"}}, r"Unknown operator '\$like'.* known: \$eq, \$ne, \$lt, "),
        ({"label": {"$in": "abc"}}, r"\$in needs a list"),
        ({"label": {"$nin": None}}, r"\$nin needs a list"),
        ({"label": {"$all": 1}}, r"\$all needs a list"),
        ({"label": {"$mod": [0, 1]}}, r"\$mod needs \[divisor, remainder\]"),
        ({"label": {"$mod": 3}}, r"\$mod needs \[divisor, remainder\]"),
        ({"label": {"$glob": 3}}, r"\$glob needs a pattern"),
        ({"label": {"$eq": 1, "other": 2}}, r"Unknown operator 'other'"),
        (["label"], r"A query is a dict"),
    ],
    ids=str,
)
def test_a_query_that_makes_no_sense_is_refused(database, query, text):
    with pytest.raises(InvalidQuery, match=text) as e:
        database.find_records(query)
    assert isinstance(e.value, KeyError)
    with pytest.raises(InvalidQuery, match=text):
        database.drop_matching_records(query)


def test_unknown_keys_are_refused(database):
    with pytest.raises(InvalidQuery, match="Unknown field 'colour'"):
        database.find_records({}, keys=["colour"])


def test_half_surrogates_and_nul_survive(database):
    if type(database).__name__ == "MongoDB":
        pytest.skip("MongoDB keeps UTF-8 only")
    odd = "a\0b\ud800"
    database.add_record("s_1", {"label": odd, "content": {"x": odd}, "stdout": "a\0b"})
    record = database.get_record("s_1")
    assert (record["label"], record["content"], record["stdout"]) == (odd, {"x": odd}, "a\0b")
    for query in ({"label": odd}, {"label": {"$in": [odd, "x"]}}, {"stdout": {"$in": ["a\0b"]}}):
        assert msg_ids(database.find_records(query)) == ["s_1"]
    assert database.find_records({"stdout": {"$in": ["a"]}}) == []
