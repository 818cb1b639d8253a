"""What a query means, where the random ones do not show it."""

from datetime import datetime, timedelta

import pytest

from ipyparallel.controller.databases.matching import CompositeFilter, Query

NOON = datetime(2026, 1, 2, 12).astimezone()


@pytest.mark.parametrize(
    ("conditions", "matching", "others"),
    [
        ({"$gt": 3}, [4, 3.5], [3, 2, None, "4", [4]]),
        ({"$gte": 3, "$lt": 5}, [3, 4], [2, 5, None]),
        ({"$le": "b"}, ["a", "b", ""], ["c", None, 1]),
        ({"$lte": "b"}, ["a", "b", ""], ["c", None, 1]),
        ({"$eq": None}, [None], ["", 0, [], {}]),
        ({"$ne": 3}, [None, 4, "3"], [3]),
        ({"$ne": None}, ["", 0], [None]),
        ({"$lt": None}, [], [None, 1, ""]),
        ({"$in": [1, None]}, [1, None], [2, ""]),
        ({"$nin": ["a"]}, ["b", None, 1], ["a"]),
        ({"$all": [1, 2]}, [[2, 3, 1]], [[1], None, "12", 1]),
        ({"$mod": [4, 1]}, [1, 5, -3], [2, None, "1"]),
        ({"$exists": True}, ["", 0], [None]),
        ({"$exists": False}, [None], ["", 0]),
        ({"$glob": "fit-*[0-9]"}, ["fit-a1", "fit-\n7"], ["fit-a", "xfit-a1", "FIT-1", None, 1]),
        ({"$gt": NOON}, [NOON + timedelta(0, 1)], [NOON, None, "2027-01-01"]),
    ],
    ids=str,
)
def test_operators(conditions, matching, others):
    wanted = CompositeFilter(conditions)
    assert [value for value in matching if not wanted(value)] == []
    assert [value for value in others if wanted(value)] == []


def test_all_conditions_must_hold():
    query = Query({"label": "x", "stdout": {"$ne": "", "$lt": "b"}})
    assert query.matches({"label": "x", "stdout": "a"})
    assert not query.matches({"label": "y", "stdout": "a"})
    assert not query.matches({"label": "x", "stdout": "c"})
    assert not query.matches({})


def test_a_dict_without_operators_is_a_value():
    query = Query({"content": {"a": 1}})
    assert query.matches({"content": {"a": 1}})
    assert not query.matches({"content": {"a": 1, "b": 2}})
    assert not Query({"content": {}}).matches({"content": {"a": 1}})


def test_dots_lead_into_dicts():
    query = Query({"result_content.status": "error"})
    assert query.matches({"result_content": {"status": "error"}})
    for content in ({"status": "ok"}, {}, None, "error"):
        assert not query.matches({"result_content": content})
    assert query.fields == {"result_content"}


def test_dates_without_a_zone_are_local():
    query = Query({"submitted": {"$gte": NOON.replace(tzinfo=None)}})
    assert query.matches({"submitted": NOON})
    assert not query.matches({"submitted": NOON - timedelta(0, 0, 1)})


def test_the_ids_that_a_query_names_are_known():
    assert Query({"msg_id": "a", "label": "x"}).msg_ids() == ["a"]
    assert Query({"msg_id": {"$in": ["a", "b", None]}}).msg_ids() == ["a", "b"]
    assert Query({"msg_id": {"$ne": "a"}}).msg_ids() is None
    assert Query({"label": "a"}).msg_ids() is None
