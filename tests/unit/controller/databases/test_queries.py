"""Random records and queries, in every database, against a reference of the tests' own."""

from datetime import UTC, datetime, timedelta
from fnmatch import fnmatchcase

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ipyparallel.controller.databases.base import FIELDS, empty_record

# ---- what there may be in a record

BEGIN = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)

texts = st.sampled_from(["", "a", "A", "ab", "a-1", "b", "ba", "a*", "[b]", "é", "\U0010ffff", "1"])
dates = st.sampled_from([0, 0.001, 0.5, 1, 60, 86400]).map(lambda s: BEGIN + timedelta(seconds=s))
numbers = st.one_of(st.integers(-3, 7), st.sampled_from([0.5, 2.0, True, False]))
plain = st.one_of(st.none(), texts, numbers)
lists = st.lists(plain, max_size=3)
dicts = st.dictionaries(st.sampled_from(["status", "n", "x"]), st.one_of(plain, lists), max_size=2)
anything = st.one_of(plain, lists, dicts)
buffers = st.lists(st.sampled_from([b"", b"a", b"b\0"]), max_size=3)

FIELDS_OF_DATES = ("submitted", "started", "completed", "received")
FIELDS_OF_DICTS = ("metadata", "content", "result_metadata", "result_content")
FIELDS_OF_TEXTS = ("client_uuid", "engine_uuid", "queue", "resubmitted", "execute_input")
FIELDS_OF_ANYTHING = ("label", "error", "execute_result")

values = {
    **dict.fromkeys(FIELDS_OF_DATES, st.none() | dates),
    **dict.fromkeys(FIELDS_OF_DICTS, st.none() | dicts),
    **dict.fromkeys(FIELDS_OF_TEXTS, st.none() | texts),
    **dict.fromkeys(FIELDS_OF_ANYTHING, anything),
    **dict.fromkeys(("buffers", "result_buffers"), st.none() | buffers),
    **dict.fromkeys(("stdout", "stderr"), texts),
    **dict.fromkeys(
        ("header", "result_header"), st.none() | st.fixed_dictionaries({"date": dates})
    ),
}
ids = st.sampled_from([f"{session}_{n}" for session in ("a", "b") for n in range(5)])
#: Often asked for, so that they are often there, and something is found.
COMMON = ("engine_uuid", "label", "completed")
records = st.fixed_dictionaries(
    {field: values[field] for field in COMMON},
    optional={field: values[field] for field in values if field not in COMMON},
)

# ---- what may be asked

ORDERS = ("$lt", "$lte", "$le", "$gt", "$gte")
OPERATORS = ("$eq", "$ne", *ORDERS, "$in", "$nin", "$all", "$mod", "$exists", "$glob")
PATHS = ("content.status", "result_content.n", "header.date", "label.x", "content.x.y")


@st.composite
def conditions(draw, operands):
    chosen = draw(st.lists(st.sampled_from(OPERATORS), min_size=1, max_size=3, unique=True))
    several = st.lists(operands, max_size=4)
    remainder = st.tuples(st.sampled_from([1, 2, 3, -2]), st.integers(-1, 2)).map(list)
    globs = st.sampled_from(["*", "a*", "?", "[ab]", "[!a]*", "", "a[*]", "*1", "A", "[b]", "b?"])
    special = {
        "$in": several,
        "$nin": several,
        "$all": several,
        "$mod": remainder,
        "$exists": st.booleans(),
        "$glob": globs,
    }
    return {name: draw(special.get(name, operands)) for name in chosen}


@st.composite
def queries(draw):
    asked = st.sampled_from(COMMON) | st.sampled_from([*FIELDS, *PATHS])
    fields = draw(st.lists(asked, max_size=3, unique=True))
    query = {}
    for field in fields:
        own = ids if field == "msg_id" else values.get(field, dates if "date" in field else plain)
        operands = st.one_of(own, own, st.none(), anything, dates)
        query[field] = draw(st.one_of(operands, conditions(operands)))
    return query


# ---- the reference


def less(a, b):
    for kind in (str, bytes, datetime, (int, float)):
        if isinstance(a, kind) and isinstance(b, kind):
            return a < b
    if isinstance(a, list) and isinstance(b, list):
        for x, y in zip(a, b, strict=False):
            if x != y:
                return less(x, y)
        return len(a) < len(b)
    return False


def same_and_ordered(a, b):
    return a == b and isinstance(a, (str, bytes, datetime, int, float, list))


def meets(value, operator, operand):
    match operator:
        case "$eq":
            return value == operand
        case "$ne":
            return value != operand
        case "$lt":
            return less(value, operand)
        case "$gt":
            return less(operand, value)
        case "$lte" | "$le":
            return less(value, operand) or same_and_ordered(value, operand)
        case "$gte":
            return less(operand, value) or same_and_ordered(value, operand)
        case "$in":
            return any(value == item for item in operand)
        case "$nin":
            return not any(value == item for item in operand)
        case "$all":
            return isinstance(value, list) and not [x for x in operand if x not in value]
        case "$mod":
            return isinstance(value, (int, float)) and value % operand[0] == operand[1]
        case "$exists":
            return operand is (value is not None)
        case "$glob":
            return isinstance(value, str) and fnmatchcase(value, operand)
    raise AssertionError(operator)


def look_up(record, path):
    value = record
    for key in path.split("."):
        value = value.get(key) if isinstance(value, dict) else None
    return value


def found_by(query, record):
    for path, wanted in query.items():
        value = look_up(record, path)
        if isinstance(wanted, dict) and any(key.startswith("$") for key in wanted):
            if not all(meets(value, name, operand) for name, operand in wanted.items()):
                return False
        elif value != wanted:
            return False
    return True


def in_order(model):
    """The records of a dict, in the order in which they were submitted, or else came."""
    return sorted(
        model.values(), key=lambda r: (r["submitted"] is not None, r["submitted"] or BEGIN)
    )


# ---- the properties

quick = settings(
    max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@quick
@given(st.dictionaries(ids, records, max_size=8), st.lists(queries(), min_size=1, max_size=6))
def test_a_query_finds_what_matches_and_nothing_else(database, known, asked):
    database.drop_matching_records({})
    model = {}
    for msg_id, record in known.items():
        database.add_record(msg_id, record)
        model[msg_id] = {**empty_record(), **record, "msg_id": msg_id}
    for query in asked:
        expected = [record for record in in_order(model) if found_by(query, record)]
        assert database.find_records(query, FIELDS) == expected


steps = st.one_of(
    st.tuples(st.just("add"), ids, records),
    st.tuples(st.just("update"), ids, records),
    st.tuples(st.just("update"), ids, records),
    st.tuples(st.just("fetched"), ids),
    st.tuples(st.just("drop"), ids),
    st.tuples(st.just("drop matching"), queries()),
    st.tuples(st.just("look")),
)


@quick
@given(st.lists(steps, max_size=20), queries())
def test_whatever_is_done_is_what_a_dict_would_hold(database, todo, query):
    database.drop_matching_records({})
    model = {}
    for what, *arguments in todo:
        match what, arguments:
            case "add", [msg_id, record]:
                database.add_record(msg_id, record)
                model.pop(msg_id, None)
                model[msg_id] = {**empty_record(), **record, "msg_id": msg_id}
            case "update", [msg_id, record] if msg_id in model:
                database.update_record(msg_id, record)
                model[msg_id].update(record)
            case "fetched", [msg_id]:
                database.fetched([msg_id])
            case "drop", [msg_id] if msg_id in model:
                database.drop_record(msg_id)
                del model[msg_id]
            case "drop matching", [drop]:
                database.drop_matching_records(drop)
                model = {k: record for k, record in model.items() if not found_by(drop, record)}
            case "look", []:
                assert database.get_history() == [r["msg_id"] for r in in_order(model)]
    assert database.get_history() == [record["msg_id"] for record in in_order(model)]
    assert {msg_id: database.get_record(msg_id) for msg_id in model} == model
    expected = [record["msg_id"] for record in in_order(model) if found_by(query, record)]
    assert [record["msg_id"] for record in database.find_records(query, [])] == expected
