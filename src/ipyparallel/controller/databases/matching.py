"""What a query means: does a record match? Pure, and the same for every database.

A query maps fields to what is wanted of them, all of which must hold. This is either a value,
which the field must equal, or a dict of operators and their operands, all of which must hold::

    {"client_uuid": "abc", "completed": {"$ne": None, "$gt": yesterday}, "label": {"$glob": "fit*"}}

A field that nothing is known of yet is None. It equals None and nothing else, and is neither less
nor greater than anything; nor are values of kinds that have no order among them.
`result_content.status` means the `status` in the dict `result_content`, None if there is none.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Collection, Iterable, Mapping
from datetime import datetime
from fnmatch import translate
from typing import Any, TypeGuard

from .record import BUFFER_FIELDS, FIELDS, RecordError

#: Tells of a value whether it is what is wanted.
Test = Callable[[Any], bool]


class InvalidQuery(RecordError, ValueError):
    """A query that cannot be answered; the text says why."""


class CompositeFilter:
    """Whether a value meets all of several conditions.

    Parameters
    ----------
    conditions : mapping
        Operands, by operator.
    """

    def __init__(self, conditions: Mapping[str, Any]) -> None:
        self.conditions = {name: zoned(operand) for name, operand in conditions.items()}
        self.tests = [make_test(name, operand) for name, operand in self.conditions.items()]

    def __call__(self, value: Any) -> bool:
        return all(test(value) for test in self.tests)


class Query:
    """A query that was checked.

    Parameters
    ----------
    query : mapping
        See the text at the top.

    Raises
    ------
    InvalidQuery
        It makes no sense.
    """

    def __init__(self, query: Mapping[str, Any]) -> None:
        if not isinstance(query, Mapping):
            raise InvalidQuery(f"A query is a dict of fields and conditions, not {query!r}")
        self.conditions = {
            check_field(field): CompositeFilter(conditions_of(wanted))
            for field, wanted in query.items()
        }

    @property
    def fields(self) -> set[str]:
        """What must be known of a record."""
        return {path.partition(".")[0] for path in self.conditions}

    def matches(self, record: Mapping[str, Any]) -> bool:
        """Whether a record is looked for; it may lack fields, which are None then."""
        return all(wanted(value_at(record, path)) for path, wanted in self.conditions.items())

    def msg_ids(self) -> list[str] | None:
        """The only ids that can match; None: any."""
        if (wanted := self.conditions.get("msg_id")) is not None:
            if "$eq" in wanted.conditions:
                return _texts([wanted.conditions["$eq"]])
            if "$in" in wanted.conditions:
                return _texts(wanted.conditions["$in"])
        return None


def wanted_keys(keys: Iterable[str] | None) -> list[str]:
    """The fields that a query shall return.

    Raises
    ------
    InvalidQuery
        One is unknown.
    """
    if keys is None:
        return [field for field in FIELDS if field not in BUFFER_FIELDS]
    if isinstance(keys, str):
        keys = [keys]
    return list(dict.fromkeys(["msg_id", *map(_check_known, keys)]))


def check_field(path: Any) -> str:
    """`path`, if it names a field or, with dots, something in a field that is a dict."""
    _check_known(path.partition(".")[0] if isinstance(path, str) else path)
    return str(path)


def _check_known(field: Any) -> str:
    if field not in FIELDS:
        raise InvalidQuery(f"Unknown field {field!r} in a query; known: {', '.join(FIELDS)}")
    return str(field)


def conditions_of(wanted: Any) -> Mapping[str, Any]:
    """What is wanted of a field, as operands by operator."""
    if isinstance(wanted, Mapping) and any(str(key).startswith("$") for key in wanted):
        return wanted
    return {"$eq": wanted}


def value_at(record: Mapping[str, Any], path: str) -> Any:
    """A field of a record, or what a dotted path leads to in it; None if there is none."""
    field, *inner = path.split(".")
    value = record.get(field)
    for key in inner:
        value = value.get(key) if isinstance(value, Mapping) else None
    return value


def zoned(operand: Any) -> Any:
    """`operand`, where dates that say nothing of a zone are in local time."""
    if isinstance(operand, datetime) and operand.tzinfo is None:
        return operand.astimezone()
    if isinstance(operand, (list, tuple, set, frozenset)):
        return [zoned(item) for item in operand]
    return operand


def is_plain_text(value: Any) -> TypeGuard[str]:
    """Whether other databases have this text as Python has it, and compare it in the same way."""
    if not isinstance(value, str) or "\0" in value:
        return False
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def make_test(name: str, operand: Any) -> Test:
    """The test that an operator and its operand are.

    Raises
    ------
    InvalidQuery
        There is no such operator, or it cannot have that operand.
    """
    try:
        make = filters[name]
    except KeyError:
        raise InvalidQuery(
            f"Unknown operator {name!r} in a query; known: {', '.join(filters)}"
        ) from None
    return make(operand)


def _equal(operand: Any) -> Test:
    return lambda value: bool(value == operand)


def _unequal(operand: Any) -> Test:
    return lambda value: bool(value != operand)


def _ordered(compare: Callable[[Any, Any], Any]) -> Callable[[Any], Test]:
    def make(operand: Any) -> Test:
        def test(value: Any) -> bool:
            if value is None or operand is None:
                return False
            try:
                return bool(compare(value, operand))
            except TypeError:  # no order between values of these kinds
                return False

        return test

    return make


def _in(operand: Any) -> Test:
    options = _several("$in", operand)
    texts = frozenset(_texts(options))
    if len(texts) == len(options):  # often many ids
        return lambda value: isinstance(value, str) and value in texts
    return lambda value: value in options


def _not_in(operand: Any) -> Test:
    among = _in(_several("$nin", operand))
    return lambda value: not among(value)


def _all(operand: Any) -> Test:
    needed = _several("$all", operand)
    return lambda value: isinstance(value, (list, tuple)) and all(item in value for item in needed)


def _mod(operand: Any) -> Test:
    match operand:
        case [int(divisor), int(remainder)] if divisor:
            return lambda value: (
                isinstance(value, (int, float)) and bool(value % divisor == remainder)
            )
    raise InvalidQuery(f"$mod needs [divisor, remainder], both integers, not {operand!r}")


def _exists(operand: Any) -> Test:
    return lambda value: (value is not None) == bool(operand)


def _glob(operand: Any) -> Test:
    if not isinstance(operand, str):
        raise InvalidQuery(f"$glob needs a pattern such as 'fit-*', not {operand!r}")
    pattern = re.compile(translate(operand))
    return lambda value: isinstance(value, str) and pattern.match(value) is not None


def _several(name: str, operand: Any) -> Collection[Any]:
    if not isinstance(operand, (list, tuple, set, frozenset)):
        raise InvalidQuery(f"{name} needs a list of values, not {operand!r}")
    return list(operand)


def _texts(values: Iterable[Any]) -> list[str]:
    return [value for value in values if isinstance(value, str)]


#: What makes the test of an operator of its operand.
filters: dict[str, Callable[[Any], Test]] = {
    "$eq": _equal,
    "$ne": _unequal,
    "$lt": _ordered(operator.lt),
    "$lte": _ordered(operator.le),
    "$le": _ordered(operator.le),
    "$gt": _ordered(operator.gt),
    "$gte": _ordered(operator.ge),
    "$in": _in,
    "$nin": _not_in,
    "$all": _all,
    "$mod": _mod,
    "$exists": _exists,
    "$glob": _glob,
}
